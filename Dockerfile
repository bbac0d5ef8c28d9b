# The image of Keyhole contains one static binary, the CA certificates and license texts,
# and no shell.
#
#   docker build --build-arg VERSION=1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t keyhole .
#
# With a binary that you have built, and without pulling a base image:
#
#   CGO_ENABLED=0 go build -trimpath -o dist/keyhole ./cmd/keyhole
#   deploy/licenses dist/keyhole >dist/THIRD-PARTY-LICENSES
#   cp LICENSE /etc/ssl/certs/ca-certificates.crt dist/
#   buildah bud --isolation chroot --format docker --target prebuilt -t keyhole -f Dockerfile dist

# The common part of both images. It comes first, so that `--target prebuilt` ends before
# the stage that pulls its base image.
FROM scratch AS base
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="keyhole" \
      org.opencontainers.image.description="Short-link redirect gateway for private S3-compatible buckets" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A number, because Kubernetes' runAsNonRoot cannot check a name.
USER 65532:65532
# The listeners for recipients and for operators.
EXPOSE 8080 8081
# The health check below reads the addresses of the listeners from it.
ENV KEYHOLE_CONFIG=/etc/keyhole/keyhole.yaml
# It checks that the process is alive, not that it is ready: an outage of Redis must not
# cause restarts. Only images in Docker's format have a health check (`buildah --format
# docker`).
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["/keyhole", "health", "--live"]
ENTRYPOINT ["/keyhole"]
CMD ["serve", "--config", "/etc/keyhole/keyhole.yaml"]

FROM base AS prebuilt
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE THIRD-PARTY-LICENSES /usr/share/doc/keyhole/
COPY --chmod=0555 keyhole /keyhole

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG REVISION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
  -ldflags "-s -w -X main.version=${VERSION} -X main.revision=${REVISION}" \
  -o /keyhole ./cmd/keyhole && \
  deploy/licenses /keyhole >THIRD-PARTY-LICENSES

FROM base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /src/THIRD-PARTY-LICENSES /usr/share/doc/keyhole/
COPY --from=build /keyhole /keyhole
