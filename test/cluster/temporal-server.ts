import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { environmentOf, readCompose, ROOT, service } from '../deploy/compose-file.ts';
import { lowPorts } from './low-ports.ts';
import { accepts, type Postgres } from './postgres.ts';
import { runProgram, startProgram, untilReady, type Program } from './processes.ts';
import type { Programs } from './programs.ts';

export interface TemporalServer {
  readonly address: string;
  readonly namespace: string;
  /** Prometheus metrics of the server itself. */
  readonly metricsPort: number;
  readonly program: () => Program;
  /** Kills it, and starts it again on the same database and ports. @returns milliseconds until it answered again */
  restart(): Promise<number>;
}

const SERVICES = ['FRONTEND', 'MATCHING', 'HISTORY', 'WORKER'];

/**
 * The production server with all of its services in one process, as docker-compose.yml configures it: the same
 * environment, scripts and dynamic configuration, but for the addresses.
 */
export async function startTemporalServer(
  programs: Programs,
  postgres: Postgres,
  folder: string,
): Promise<TemporalServer> {
  const compose = readCompose({
    POSTGRES_PASSWORD: postgres.password,
    S3_ACCESS_KEY: 'unused',
    S3_SECRET_KEY: 'unused',
    GRAFANA_PASSWORD: 'unused',
  });
  const scripts = join(ROOT, 'deploy', 'temporal');
  const env = { PATH: pathWithTools(programs, folder), HOME: folder };
  const database = { SQL_HOST: '127.0.0.1', SQL_PORT: String(postgres.port), SCHEMAS: programs.schemas };
  const schema = { ...env, ...environmentOf(service(compose, 'schema')), ...database };
  // Twice, because every `docker compose up` runs it.
  for (const run of [1, 2])
    await runProgram({
      command: ['sh', join(scripts, 'schema.sh')],
      env: schema,
      log: join(folder, `schema-${run}.log`),
    });

  const names = SERVICES.flatMap((name) => [`${name}_GRPC_PORT`, `${name}_MEMBERSHIP_PORT`]);
  const port = await lowPorts([...names, 'FRONTEND_HTTP_PORT', 'PROMETHEUS']);
  const address = `127.0.0.1:${port['FRONTEND_GRPC_PORT']}`;
  const metricsPort = port['PROMETHEUS'] ?? 0;
  const serverEnv = {
    ...env,
    ...environmentOf(service(compose, 'temporal')),
    ...Object.fromEntries(Object.entries(port).map(([name, number]) => [name, String(number)])),
    DB_PORT: String(postgres.port),
    POSTGRES_SEEDS: '127.0.0.1',
    BIND_ON_IP: '127.0.0.1',
    PROMETHEUS_ENDPOINT: `127.0.0.1:${metricsPort}`,
    DYNAMIC_CONFIG_FILE_PATH: join(scripts, 'dynamic-config.yaml'),
  };
  const namespaceEnv = { ...env, ...environmentOf(service(compose, 'namespace')), TEMPORAL_ADDRESS: address };
  const log = join(folder, 'temporal.log');
  const start = async (): Promise<Program> => {
    const program = startProgram({ command: [programs.temporalServer, 'start'], env: serverEnv, log });
    await untilReady(program, 'the Temporal server', () => accepts(port['FRONTEND_GRPC_PORT'] ?? 0));
    return program;
  };
  let program = await start();
  for (const run of [1, 2])
    await runProgram({
      command: ['sh', join(scripts, 'namespace.sh')],
      env: namespaceEnv,
      log: join(folder, `namespace-${run}.log`),
    });
  return {
    address,
    namespace: environmentOf(service(compose, 'namespace'))['NAMESPACE'] ?? 'default',
    metricsPort,
    program: () => program,
    async restart() {
      await program.end('SIGKILL');
      const begun = Date.now();
      program = await start();
      return Date.now() - begun;
    },
  };
}

/** The tools under the names they have in the images. */
function pathWithTools(programs: Programs, folder: string): string {
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  symlinkSync(programs.temporalSqlTool, join(tools, 'temporal-sql-tool'));
  symlinkSync(programs.temporalCli, join(tools, 'temporal'));
  chmodSync(tools, 0o755);
  return [tools, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);
}
