# Causeway in a container. docs/deployment.md tells how to run it, and why on the host's network.
#   docker build -t causeway .
#   docker run --network host -v /etc/causeway:/etc/causeway:ro -v causeway-state:/var/lib/causeway causeway

FROM node:20-bookworm-slim AS build
WORKDIR /opt/causeway
COPY package.json package-lock.json ./
# No package needs its install script: koffi brings prebuilt binaries.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/causeway
COPY --from=build /opt/causeway/package.json ./
COPY --from=build /opt/causeway/node_modules ./node_modules
COPY --from=build /opt/causeway/dist ./dist
COPY LICENSE ./
# 1000 is the base image's user node, as a number so that Kubernetes sees that it is not root.
RUN mkdir -p /var/lib/causeway && chown 1000:1000 /var/lib/causeway
USER 1000:1000
# node.stateDirectory is ./state by default.
WORKDIR /var/lib/causeway
VOLUME /var/lib/causeway

# TURN; status pages; relays; media of calls. ng (2223/udp) has no password: it stays where the SIP proxy is.
EXPOSE 3478/udp 3478/tcp 5349/tcp 8080/tcp 24000-29999/udp 36000-59999/udp

# Another admin.http needs another CAUSEWAY_HEALTH_URL.
ENV CAUSEWAY_HEALTH_URL=http://127.0.0.1:8080/healthz
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(process.env.CAUSEWAY_HEALTH_URL).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM

# The configuration may be left out: then the defaults hold, and the log shows a password for this run.
CMD ["sh", "-c", "[ ! -e /etc/causeway/causeway.yaml ] || set -- -c /etc/causeway/causeway.yaml; exec node /opt/causeway/dist/main.js serve \"$@\""]
