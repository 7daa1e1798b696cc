# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p workscribe-host \
    && install -D target/release/workscribe /out/usr/local/bin/workscribe \
    && install -D -m 644 -t /out/usr/share/doc/workscribe LICENSE-MIT LICENSE-APACHE NOTICE \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="WorkScribe" \
      org.opencontainers.image.description="The multi-tenant backbone of a work-management product: API server and worker" \
      org.opencontainers.image.source="https://github.com/workscribe/workscribe" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
RUN groupadd --gid 10001 workscribe \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin workscribe \
    && install -d -o 10001 -g 10001 -m 750 /data
COPY --from=build /out/ /

# Production: it asks for WORKSCRIBE_JWT_SECRET and WORKSCRIBE_MAIL, and says so when they are not set. WORKSCRIBE_ENV=development is for
# a look at it. SQLite, unless WORKSCRIBE_DATABASE_URL names a Postgres. A container is reached at its own address alone, by the ports
# that are published; so it listens on all of them.
ENV WORKSCRIBE_ENV=production \
    WORKSCRIBE_LISTEN=0.0.0.0:8001 \
    WORKSCRIBE_DATABASE_URL=sqlite:///data/workscribe.db
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["workscribe", "health"]
ENTRYPOINT ["workscribe"]
CMD ["serve"]
