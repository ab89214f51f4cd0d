"""The process that Spark's Python workers are forked from: it has loaded the libraries that they need.

A worker that loads them itself takes a second for it, and the memory of all of them once more.
"""

import gc
import os
import sys
from importlib import import_module

LIBRARIES = ("pandas", "pyspark.worker", "scipy.sparse", "sklearn.ensemble", "statsmodels.regression.linear_model")
# Threads do not survive a fork; workers are as many as there are cores.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

if __name__ == "__main__":
    os.environ |= ONE_THREAD
    # Spark puts archives of its own Python code first, which the environment has as files: nothing read from an archive
    # is kept compiled, and each worker would read their lists of contents anew.
    sys.path[:] = [place for place in sys.path if not place.endswith((".zip", ".jar"))]
    sys.path_importer_cache.clear()
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    import_module("pyspark.daemon").manager()
