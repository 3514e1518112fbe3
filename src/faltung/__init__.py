"""See, check, train and run convolutional networks, on a CPU, with NumPy.

The public names. Whatever needs a heavy library imports it when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faltung import errors as errors
from faltung.errors import FaltungError as FaltungError
from faltung.functional import avg_pool as avg_pool
from faltung.functional import conv as conv
from faltung.functional import conv_transpose as conv_transpose
from faltung.functional import max_pool as max_pool
from faltung.graph import Graph as Graph
from faltung.graph import Node as Node
from faltung.graph import Value as Value
from faltung.graph import layers as layers
from faltung.graph import load as load
from faltung.kernels.threads import num_threads as num_threads
from faltung.kernels.threads import set_num_threads as set_num_threads
from faltung.prepared import PreparedConv as PreparedConv
from faltung.prepared import PreparedConvTranspose as PreparedConvTranspose
from faltung.prepared import prepare as prepare
from faltung.prepared import prepare_transpose as prepare_transpose
from faltung.signal import convolve as convolve
from faltung.signal import correlate as correlate
from faltung.version import __version__ as __version__

if TYPE_CHECKING:
    from faltung import constraints as constraints
    from faltung import datasets as datasets
    from faltung import definitions as definitions
    from faltung import experiments as experiments
    from faltung import imaging as imaging
    from faltung import tour as tour
    from faltung import training as training
    from faltung import viz as viz
    from faltung import zoo as zoo
    from faltung.analysis import Summary as Summary
    from faltung.analysis import receptive_fields as receptive_fields
    from faltung.analysis import summarize as summarize
    from faltung.analysis.costs import cost as cost
    from faltung.analysis.data import data_report as data_report
    from faltung.analysis.effective_field import effective_field as effective_field
    from faltung.analysis.equivariance import equivariance as equivariance
    from faltung.analysis.fields import field_report as field_report
    from faltung.analysis.inspect import inspect as inspect
    from faltung.analysis.invariance import invariance as invariance
    from faltung.analysis.learned import learned as learned
    from faltung.analysis.locality import locality as locality
    from faltung.analysis.loose import loose_statements as loose_statements
    from faltung.analysis.networks import network_costs as network_costs
    from faltung.analysis.probe import probe as probe
    from faltung.analysis.verification import verify as verify
    from faltung.constraints import conv_matrix as conv_matrix
    from faltung.constraints import square as square
    from faltung.datasets import Dataset as Dataset
    from faltung.definitions import compose as compose
    from faltung.definitions import expand as expand
    from faltung.definitions import past_report as past_report
    from faltung.definitions import signal_report as signal_report
    from faltung.estimators import ConvClassifier as ConvClassifier
    from faltung.estimators import ConvRegressor as ConvRegressor
    from faltung.experiments import experiment as experiment
    from faltung.graph.from_torch import from_torch as from_torch
    from faltung.imaging import filter_image as filter_image
    from faltung.imaging import find as find
    from faltung.plan.compiling import compile as compile  # noqa: A004 - the word that users know
    from faltung.plan.plan import Plan as Plan
    from faltung.plan.training import TrainingPlan as TrainingPlan

__all__ = [
    "ConvClassifier",
    "ConvRegressor",
    "Dataset",
    "FaltungError",
    "Graph",
    "Node",
    "Plan",
    "PreparedConv",
    "PreparedConvTranspose",
    "Summary",
    "TrainingPlan",
    "Value",
    "__version__",
    "avg_pool",
    "compile",
    "compose",
    "constraints",
    "conv",
    "conv_matrix",
    "conv_transpose",
    "convolve",
    "correlate",
    "cost",
    "data_report",
    "datasets",
    "definitions",
    "effective_field",
    "equivariance",
    "errors",
    "expand",
    "experiment",
    "experiments",
    "field_report",
    "filter_image",
    "find",
    "from_torch",
    "imaging",
    "inspect",
    "invariance",
    "layers",
    "learned",
    "load",
    "locality",
    "loose_statements",
    "max_pool",
    "network_costs",
    "num_threads",
    "past_report",
    "prepare",
    "prepare_transpose",
    "probe",
    "receptive_fields",
    "set_num_threads",
    "signal_report",
    "square",
    "summarize",
    "tour",
    "training",
    "verify",
    "viz",
    "zoo",
]


# Names whose modules read files, train or draw: name -> module, or module:name.
_LAZY = {
    "learned": "faltung.analysis.learned:learned",
    "Summary": "faltung.analysis:Summary",
    "receptive_fields": "faltung.analysis:receptive_fields",
    "summarize": "faltung.analysis:summarize",
    "ConvClassifier": "faltung.estimators:ConvClassifier",
    "ConvRegressor": "faltung.estimators:ConvRegressor",
    "Dataset": "faltung.datasets:Dataset",
    "Plan": "faltung.plan.plan:Plan",
    "TrainingPlan": "faltung.plan.training:TrainingPlan",
    "compile": "faltung.plan.compiling:compile",
    "compose": "faltung.definitions:compose",
    "constraints": "faltung.constraints",
    "conv_matrix": "faltung.constraints:conv_matrix",
    "cost": "faltung.analysis.costs:cost",
    "data_report": "faltung.analysis.data:data_report",
    "datasets": "faltung.datasets",
    "definitions": "faltung.definitions",
    "effective_field": "faltung.analysis.effective_field:effective_field",
    "equivariance": "faltung.analysis.equivariance:equivariance",
    "expand": "faltung.definitions:expand",
    "experiment": "faltung.experiments:experiment",
    "experiments": "faltung.experiments",
    "field_report": "faltung.analysis.fields:field_report",
    "filter_image": "faltung.imaging:filter_image",
    "find": "faltung.imaging:find",
    "from_torch": "faltung.graph.from_torch:from_torch",
    "imaging": "faltung.imaging",
    "inspect": "faltung.analysis.inspect:inspect",
    "locality": "faltung.analysis.locality:locality",
    "invariance": "faltung.analysis.invariance:invariance",
    "loose_statements": "faltung.analysis.loose:loose_statements",
    "network_costs": "faltung.analysis.networks:network_costs",
    "past_report": "faltung.definitions:past_report",
    "probe": "faltung.analysis.probe:probe",
    "signal_report": "faltung.definitions:signal_report",
    "square": "faltung.constraints:square",
    "tour": "faltung.tour",
    "training": "faltung.training",
    "verify": "faltung.analysis.verification:verify",
    "viz": "faltung.viz",
    "zoo": "faltung.zoo",
}


def __getattr__(name: str) -> Any:
    """Import a lazy name when it is first asked for (PEP 562)."""
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module 'faltung' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return __all__
