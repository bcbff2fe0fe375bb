FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/bauta --create-home bauta \
 && install -d -o bauta -g bauta -m 0700 /var/lib/bauta-keys
COPY --from=build /src/target/release/bauta /usr/local/bin/bauta
USER bauta
WORKDIR /var/lib/bauta
EXPOSE 8080
ENTRYPOINT ["bauta"]
CMD ["serve"]
