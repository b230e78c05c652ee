# One image for worker, console, topics job and simulator. Everything installed is named in a lock with its hash.
#   docker build --tag skustream:0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
# A package index of your own: --build-arg PIP_INDEX_URL=https://...
FROM python:3.13-slim-trixie AS base

FROM base AS build
# Not set by default, and then pip's own default holds. They stay in this stage.
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
# pyvips comes as source only; everything else must be a wheel.
RUN python -m pip install --require-hashes --only-binary :all: --requirement requirements-build.lock \
 && python -m pip wheel --require-hashes --only-binary :all: --no-binary pyvips --no-build-isolation \
      --wheel-dir wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY stream stream
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && python -m venv --without-pip /opt/skustream \
 && python -m pip --python /opt/skustream/bin/python install --no-index --no-deps wheels/*.whl

FROM base
ARG REVISION
# What is inside tells itself: every package keeps its dist-info, from which scanners make a bill of materials.
LABEL org.opencontainers.image.title="skustream" \
      org.opencontainers.image.description="Raw product photos in, finished and re-hosted assets out: a Kafka worker" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie"
COPY --from=build /opt/skustream /opt/skustream
# A volume that is mounted here for the first time takes over this owner.
RUN install --directory --owner=10001 --group=10001 /photos
# Nothing is written outside /tmp: the root file system may be read-only. Probes and metrics must be reachable from
# outside the container, so they listen on every address of it.
ENV PATH=/opt/skustream/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SKUSTREAM_HTTP_HOST=0.0.0.0
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 9464 9474
ENTRYPOINT ["skustream"]
CMD ["run"]
