"""The operators. Each is one record in one module; this list is all that else knows of it."""

from __future__ import annotations

from faltung.ops.activations import Celu as Celu
from faltung.ops.activations import Elu as Elu
from faltung.ops.activations import Gelu as Gelu
from faltung.ops.activations import HardSigmoid as HardSigmoid
from faltung.ops.activations import HardSwish as HardSwish
from faltung.ops.activations import Mish as Mish
from faltung.ops.activations import PRelu as PRelu
from faltung.ops.activations import Selu as Selu
from faltung.ops.axes import Concat as Concat
from faltung.ops.axes import Transpose as Transpose
from faltung.ops.blocks import DepthToSpace as DepthToSpace
from faltung.ops.blocks import SpaceToDepth as SpaceToDepth
from faltung.ops.clip import Clip as Clip
from faltung.ops.conv import Conv as Conv
from faltung.ops.conv_transpose import ConvTranspose as ConvTranspose
from faltung.ops.cut import Slice as Slice
from faltung.ops.cut import Split as Split
from faltung.ops.dense import Gemm as Gemm
from faltung.ops.dense import MatMul as MatMul
from faltung.ops.dropout import Dropout as Dropout
from faltung.ops.elementwise import Add as Add
from faltung.ops.elementwise import Div as Div
from faltung.ops.elementwise import Identity as Identity
from faltung.ops.elementwise import LeakyRelu as LeakyRelu
from faltung.ops.elementwise import Mul as Mul
from faltung.ops.elementwise import Relu as Relu
from faltung.ops.elementwise import Sigmoid as Sigmoid
from faltung.ops.elementwise import Sub as Sub
from faltung.ops.elementwise import Tanh as Tanh
from faltung.ops.gather import Gather as Gather
from faltung.ops.local import LocallyConnected as LocallyConnected
from faltung.ops.lp_pool import LpPool as LpPool
from faltung.ops.lrn import LRN as LRN
from faltung.ops.nary import And as And
from faltung.ops.nary import Equal as Equal
from faltung.ops.nary import Greater as Greater
from faltung.ops.nary import GreaterOrEqual as GreaterOrEqual
from faltung.ops.nary import Less as Less
from faltung.ops.nary import LessOrEqual as LessOrEqual
from faltung.ops.nary import Max as Max
from faltung.ops.nary import Min as Min
from faltung.ops.nary import Not as Not
from faltung.ops.nary import Or as Or
from faltung.ops.nary import Sum as Sum
from faltung.ops.nary import Where as Where
from faltung.ops.nary import Xor as Xor
from faltung.ops.normalisation import BatchNormalization as BatchNormalization
from faltung.ops.operator import AbstractOperator
from faltung.ops.pad import Pad as Pad
from faltung.ops.pool import AveragePool as AveragePool
from faltung.ops.pool import GlobalAveragePool as GlobalAveragePool
from faltung.ops.pool import GlobalMaxPool as GlobalMaxPool
from faltung.ops.pool import MaxPool as MaxPool
from faltung.ops.power import Cast as Cast
from faltung.ops.power import Pow as Pow
from faltung.ops.quantize import DequantizeLinear as DequantizeLinear
from faltung.ops.quantize import QuantizeLinear as QuantizeLinear
from faltung.ops.ranked import ArgMax as ArgMax
from faltung.ops.ranked import ArgMin as ArgMin
from faltung.ops.ranked import TopK as TopK
from faltung.ops.reduce import ReduceMax as ReduceMax
from faltung.ops.reduce import ReduceMean as ReduceMean
from faltung.ops.reduce import ReduceMin as ReduceMin
from faltung.ops.reduce import ReduceProd as ReduceProd
from faltung.ops.reduce import ReduceSum as ReduceSum
from faltung.ops.repeat import Expand as Expand
from faltung.ops.repeat import Tile as Tile
from faltung.ops.resize import Resize as Resize
from faltung.ops.shape import Flatten as Flatten
from faltung.ops.shape import Reshape as Reshape
from faltung.ops.softmax import LogSoftmax as LogSoftmax
from faltung.ops.softmax import Softmax as Softmax
from faltung.ops.squeeze import Squeeze as Squeeze
from faltung.ops.squeeze import Unsqueeze as Unsqueeze
from faltung.ops.standardise import GroupNormalization as GroupNormalization
from faltung.ops.standardise import InstanceNormalization as InstanceNormalization
from faltung.ops.standardise import LayerNormalization as LayerNormalization
from faltung.ops.suppress import NonMaxSuppression as NonMaxSuppression
from faltung.ops.unary import Abs as Abs
from faltung.ops.unary import Ceil as Ceil
from faltung.ops.unary import Erf as Erf
from faltung.ops.unary import Exp as Exp
from faltung.ops.unary import Floor as Floor
from faltung.ops.unary import Log as Log
from faltung.ops.unary import Neg as Neg
from faltung.ops.unary import Reciprocal as Reciprocal
from faltung.ops.unary import Round as Round
from faltung.ops.unary import Softplus as Softplus
from faltung.ops.unary import Sqrt as Sqrt

OPERATORS: dict[str, type[AbstractOperator]] = {
    cls.onnx_type: cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, AbstractOperator) and cls is not AbstractOperator
}
"""Every operator, by its ONNX name."""

READ_AS: dict[str, type[AbstractOperator]] = {"Upsample": Resize}
"""Operators that ONNX gave up, by name, and what reads their nodes."""
