"""The daemon that Spark's Python workers are forked from, with the libraries that they need already loaded.

A worker that loads them itself takes a second longer, and holds its own copy of them in memory.
"""

import gc
import os
import sys
from importlib import import_module

LIBRARIES = ("pandas", "pyspark.worker", "scipy.sparse", "sklearn.ensemble", "statsmodels.regression.linear_model")
# Threads do not survive a fork, and there is a worker per core.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

if __name__ == "__main__":
    os.environ |= ONE_THREAD
    # Spark puts archives of its own Python code first, although the environment has it as files: bytecode from an
    # archive is not cached, and each worker would read the archives' directories again.
    sys.path[:] = [place for place in sys.path if not place.endswith((".zip", ".jar"))]
    sys.path_importer_cache.clear()
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    import_module("pyspark.daemon").manager()
