# One image for every role: `docker run ferry worker`, `docker run ferry simulate`, and so on.
FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /ferry
# The dependencies alone: they are built again only when they change.
COPY Cargo.toml Cargo.lock ./
COPY crates/ferry-client/Cargo.toml crates/ferry-client/
COPY crates/ferry-sim/Cargo.toml crates/ferry-sim/
COPY crates/ferry-store/Cargo.toml crates/ferry-store/
COPY crates/ferry-testing/Cargo.toml crates/ferry-testing/
COPY crates/ferry-types/Cargo.toml crates/ferry-types/
COPY tests/histories/Cargo.toml tests/histories/
RUN for package in . crates/*; do mkdir $package/src && touch $package/src/lib.rs; done && \
    echo 'fn main() {}' > src/main.rs && cargo build --release --locked --bin ferry
COPY examples examples
COPY crates crates
COPY templates templates
COPY src src
# What was built in their place is older, and must seem so.
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs && cargo build --release --locked --bin ferry && \
    install -d -m 700 /state

FROM gcr.io/distroless/cc-debian12:nonroot
# `scripts/release` gives both, and adds the license and the bill of materials.
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Ferry" \
    org.opencontainers.image.description="Durable upload queue for the Platform's Upload API" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
COPY --from=build /ferry/target/release/ferry /usr/local/bin/ferry
# For health checks; there is no shell. Called by this name it does nothing else.
COPY --from=busybox:1.37.0-musl /bin/busybox /usr/local/bin/wget
# The store of one machine, `ferry.db`, unless another one is named: mount a volume here to keep it. Nothing else
# is written, so the file system may be read-only.
COPY --from=build --chown=nonroot:nonroot /state /var/lib/ferry
WORKDIR /var/lib/ferry
ENV FERRY_METRICS_LISTEN=0.0.0.0:9464 \
    FERRY_LOG_FORMAT=json
EXPOSE 8600 9464
# `nonroot` as a number, because Kubernetes' `runAsNonRoot` accepts no names.
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/ferry"]
CMD ["worker"]
