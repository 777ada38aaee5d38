# The Voice in a small image: the one binary, a CA store, no shell, no root. Needs BuildKit, for the caches.
#
# Both stages are Debian 13: a binary that is linked against a newer C library does not start on an older one.

FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
# The caches keep the registry and the compiled crates between builds; what is built must be copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package voice \
    && install -D target/release/voice /out/usr/local/bin/voice \
    && install -d /out/data

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /out/usr /usr
COPY --from=build --chown=65532:65532 /out/data /data
ENV DATABASE_URL=sqlite:///data/voice.db \
    VOICE_CONFIG=/etc/voice/feeds.toml \
    VOICE_SERVER_LISTEN=0.0.0.0:8080
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080
# SIGTERM, Docker's default, finishes the feed in hand and answers what is in flight, within 10 s.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["/usr/local/bin/voice", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/voice"]
CMD ["serve"]
