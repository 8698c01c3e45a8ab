FROM node:24.11.1-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Scripts are left out: native parts come with the packages, and the build is the next step.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json tsconfig.workflows.json ./
COPY scripts scripts
COPY python python
COPY src src
COPY viewer viewer
RUN apt-get update && apt-get install -y --no-install-recommends python3 && node scripts/build.ts
RUN npm prune --omit=dev --ignore-scripts

FROM node:24.11.1-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates git python3 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY python python
COPY deploy/worker/healthy.mjs deploy/worker/healthy.mjs
RUN ln -s /app/dist/cli/main.js /usr/local/bin/rlm \
  && install -d -o node -g node /var/lib/durable-rlm /work
ENV NODE_ENV=production \
  DURABLE_RLM_STATE=/var/lib/durable-rlm/state \
  DURABLE_RLM_CACHE=/var/lib/durable-rlm/cache
USER node
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["--help"]
