"""Results of the program `landscape` in Python.

    import contrastive_landscape as landscape

    runs = landscape.frame("results/fig2")                  # a row for each run, its settings as columns
    curves = landscape.frame("results/fig2", curves=True)   # a row for each measured epoch

    run = landscape.Run("results/fig2/RUN")
    run.metrics, run.weights                                # metrics.csv; the final weights
    model = run.modules()                                   # the same as PyTorch modules
    batch = next(iter(run.data(epochs="last").views[run.epochs].batches()))
    model(batch.x1, batch.x2, batch.turn)                   # the run's loss on what it saw
"""

from .frames import frame
from .program import ProgramError
from .runs import Batch, Data, EpochViews, Run

__all__ = ["Batch", "Data", "EpochViews", "ProgramError", "Run", "frame"]
