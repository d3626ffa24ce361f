# syntax=docker/dockerfile:1
# Two stages: the compiler's image builds, a small Debian with nothing but the program and its libraries runs.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq-dev libhiredis-dev zlib1g-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The dependencies first: they change seldom.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
# Not built, but Package.swift names them.
COPY Benchmarks Benchmarks
COPY sql sql
RUN swift build -c release --product stock --static-swift-stdlib \
 && install -D "$(swift build -c release --product stock --static-swift-stdlib --show-bin-path)/stock" /out/stock

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq5 libhiredis0.14 zlib1g ca-certificates curl gzip tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin stock
COPY --from=build /out/stock /usr/local/bin/stock
COPY --chmod=755 scripts/compose/stock-entrypoint /usr/local/bin/stock-entrypoint
COPY sql /usr/local/share/stock/sql
USER 10001:10001
WORKDIR /usr/local/share/stock
EXPOSE 8080
# Last, and of this stage alone: another commit with the same sources builds nothing anew.
#     docker build --build-arg STOCK_COMMIT="$(git rev-parse HEAD)" .
ARG STOCK_COMMIT=
LABEL org.opencontainers.image.revision=$STOCK_COMMIT
ENV STOCK_LISTEN=0.0.0.0:8080 STOCK_COMMIT=$STOCK_COMMIT
STOPSIGNAL SIGTERM
ENTRYPOINT ["stock-entrypoint"]
CMD ["serve"]
