"""The definitions, as the field writes them: float64, loops, slow on purpose.

They say what is right. Kernels are held to them; nothing here imports what it checks.
"""

from faltung.reference.activations import leaky_relu as leaky_relu
from faltung.reference.activations import leaky_relu_dx as leaky_relu_dx
from faltung.reference.activations import log_softmax as log_softmax
from faltung.reference.activations import log_softmax_dx as log_softmax_dx
from faltung.reference.activations import relu as relu
from faltung.reference.activations import relu_dx as relu_dx
from faltung.reference.activations import sigmoid as sigmoid
from faltung.reference.activations import sigmoid_dx as sigmoid_dx
from faltung.reference.activations import softmax as softmax
from faltung.reference.activations import softmax_dx as softmax_dx
from faltung.reference.activations import tanh as tanh
from faltung.reference.activations import tanh_dx as tanh_dx
from faltung.reference.conv import conv as conv
from faltung.reference.conv import conv_loops as conv_loops
from faltung.reference.conv import conv_strided as conv_strided
from faltung.reference.conv_backward import conv_db as conv_db
from faltung.reference.conv_backward import conv_dw as conv_dw
from faltung.reference.conv_backward import conv_dw_loops as conv_dw_loops
from faltung.reference.conv_backward import conv_dx as conv_dx
from faltung.reference.conv_backward import conv_dx_loops as conv_dx_loops
from faltung.reference.conv_transpose import conv_transpose as conv_transpose
from faltung.reference.conv_transpose import conv_transpose_dw as conv_transpose_dw
from faltung.reference.conv_transpose import conv_transpose_dx as conv_transpose_dx
from faltung.reference.conv_transpose import conv_transpose_loops as conv_transpose_loops
from faltung.reference.dense import dense as dense
from faltung.reference.dense import dense_db as dense_db
from faltung.reference.dense import dense_dw as dense_dw
from faltung.reference.dense import dense_dx as dense_dx
from faltung.reference.losses import mean_squared_error as mean_squared_error
from faltung.reference.losses import mean_squared_error_dx as mean_squared_error_dx
from faltung.reference.losses import softmax_cross_entropy as softmax_cross_entropy
from faltung.reference.losses import softmax_cross_entropy_dx as softmax_cross_entropy_dx
from faltung.reference.normalisation import batch_norm as batch_norm
from faltung.reference.normalisation import batch_norm_dbias as batch_norm_dbias
from faltung.reference.normalisation import batch_norm_dscale as batch_norm_dscale
from faltung.reference.normalisation import batch_norm_dx as batch_norm_dx
from faltung.reference.normalisation import batch_norm_training as batch_norm_training
from faltung.reference.normalisation import batch_norm_training_dx as batch_norm_training_dx
from faltung.reference.normalisation import batch_statistics as batch_statistics
from faltung.reference.normalisation import running_statistics as running_statistics
from faltung.reference.pooling import avg_pool as avg_pool
from faltung.reference.pooling import avg_pool_dx as avg_pool_dx
from faltung.reference.pooling import global_avg_pool as global_avg_pool
from faltung.reference.pooling import global_avg_pool_dx as global_avg_pool_dx
from faltung.reference.pooling import global_max_pool as global_max_pool
from faltung.reference.pooling import global_max_pool_dx as global_max_pool_dx
from faltung.reference.pooling import max_pool as max_pool
from faltung.reference.pooling import max_pool_dx as max_pool_dx
from faltung.reference.signal import convolve as convolve
from faltung.reference.signal import correlate as correlate

__all__ = [
    "avg_pool",
    "avg_pool_dx",
    "batch_norm",
    "batch_norm_dbias",
    "batch_norm_dscale",
    "batch_norm_dx",
    "batch_norm_training",
    "batch_norm_training_dx",
    "batch_statistics",
    "conv",
    "conv_db",
    "conv_dw",
    "conv_dw_loops",
    "conv_dx",
    "conv_dx_loops",
    "conv_loops",
    "conv_strided",
    "conv_transpose",
    "conv_transpose_dw",
    "conv_transpose_dx",
    "conv_transpose_loops",
    "convolve",
    "correlate",
    "dense",
    "dense_db",
    "dense_dw",
    "dense_dx",
    "global_avg_pool",
    "global_avg_pool_dx",
    "global_max_pool",
    "global_max_pool_dx",
    "leaky_relu",
    "leaky_relu_dx",
    "log_softmax",
    "log_softmax_dx",
    "max_pool",
    "max_pool_dx",
    "mean_squared_error",
    "mean_squared_error_dx",
    "relu",
    "relu_dx",
    "running_statistics",
    "sigmoid",
    "sigmoid_dx",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_dx",
    "softmax_dx",
    "tanh",
    "tanh_dx",
]
