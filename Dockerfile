# The project as a container. Targets:
#   docker build --target worker   -t sealedbeam .            workers of Flink and Dataflow
#   docker build --target launcher -t sealedbeam-launcher .   starts jobs on Flink; has Java
# Python and Beam are those of pyproject.toml: launcher and workers must have the same versions.

FROM python:3.11-slim-bookworm AS build
COPY . /source
RUN python -m pip wheel --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim-bookworm AS worker
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir "$(echo /wheels/*.whl)[s3,gcs]"
# What Dataflow starts; Flink starts the pool of workers instead (configs/flink/cluster.yaml).
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM worker AS launcher
RUN apt-get update && apt-get install --yes --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*
ENTRYPOINT []
