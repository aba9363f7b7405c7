# Built on Debian, run on Debian slim. Needs BuildKit (the default since Docker 23).

FROM rust:1.95-slim-bookworm AS build
# The allocator is built by make.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin quorate \
 && cp target/release/quorate /usr/local/bin/quorate

FROM debian:bookworm-slim
# A fixed number, so that volumes and Kubernetes' runAsUser can name it. The directories exist with
# this owner, because a fresh named volume takes over the owner of what it covers.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin quorate \
 && install -d -o quorate -g quorate -m 0700 /var/lib/quorate /etc/quorate/ca \
      /etc/quorate/tls /etc/quorate/tls/1 /etc/quorate/tls/2 /etc/quorate/tls/3
COPY --from=build /usr/local/bin/quorate /usr/local/bin/quorate
COPY --chmod=0755 deploy/ready /usr/local/bin/quorate-ready
COPY --chmod=0755 deploy/make-certs /usr/local/bin/quorate-make-certs
USER quorate
WORKDIR /var/lib/quorate
# The data directory lies inside the volume, so that the key file of a node alone, which is put
# beside it, survives the container as well.
ENV QUORATE_DATA_DIR=/var/lib/quorate/data \
    QUORATE_HTTP=0.0.0.0:8080
VOLUME /var/lib/quorate
EXPOSE 8080 8090 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["quorate-ready"]
ENTRYPOINT ["quorate"]
CMD ["serve"]
