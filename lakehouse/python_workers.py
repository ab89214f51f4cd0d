"""The process that Spark's Python workers are forked from: it has loaded the libraries that they need.

A worker that loads them itself takes a second for it, and the memory of all of them once more.
"""

import gc
import os
from importlib import import_module

from pyspark import daemon

LIBRARIES = ("pandas", "pyspark.worker", "scipy.sparse", "sklearn.ensemble")
# Threads do not survive a fork; workers are as many as there are cores.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

if __name__ == "__main__":
    os.environ |= ONE_THREAD
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    daemon.manager()
