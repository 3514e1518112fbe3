"""Training: a loop that can be stopped at any point and goes on to the same bits.

`train` takes a graph, data and a `Recipe`; what happens on the way goes to a `Listener`.
"""

from __future__ import annotations

from faltung.training.augment import Flip as Flip
from faltung.training.augment import Shift as Shift
from faltung.training.evaluation import Score as Score
from faltung.training.evaluation import predict as predict
from faltung.training.evaluation import score as score
from faltung.training.listener import Epoch as Epoch
from faltung.training.listener import Listener as Listener
from faltung.training.listener import Plan as Plan
from faltung.training.listener import Silent as Silent
from faltung.training.listener import Step as Step
from faltung.training.loop import TrainingResult as TrainingResult
from faltung.training.loop import train as train
from faltung.training.losses import cross_entropy as cross_entropy
from faltung.training.losses import mean_squared_error as mean_squared_error
from faltung.training.optimisers import SGD as SGD
from faltung.training.optimisers import Adam as Adam
from faltung.training.optimisers import AdamW as AdamW
from faltung.training.recipe import Recipe as Recipe
from faltung.training.recipe import recipe_for as recipe_for
from faltung.training.schedules import Constant as Constant
from faltung.training.schedules import Cosine as Cosine
from faltung.training.schedules import OneCycle as OneCycle
from faltung.training.start import start_from as start_from
