/** node-red-node-test-helper, wrapped: one runtime per test file, flows loaded and unloaded per test. */
import { createRequire } from 'node:module';
import helper from 'node-red-node-test-helper';
import type { Node, NodeAPI } from 'node-red';
import { afterAll, afterEach, beforeAll } from 'vitest';
import cgiDevice from '../../../nodes/cgi/cgi-device';
import cgiEvents from '../../../nodes/cgi/cgi-events';
import eventSchedule from '../../../nodes/events/event-schedule';
import eventLog from '../../../nodes/monitor/event-log';
import aforoUpsert from '../../../nodes/sql/aforo-upsert';
import eventInsert from '../../../nodes/sql/event-insert';
import sqlDatabase from '../../../nodes/sql/sql-database';
import sqlQuery from '../../../nodes/sql/sql-query';

const require = createRequire(import.meta.url);

export interface Received {
  topic?: string;
  payload: unknown;
}

/** A sinon spy, as the helper puts on Node's methods. */
interface Spy {
  getCalls(): { thisValue: Node; args: unknown[] }[];
}

/** The helper's RED gives catalogue keys back without their values; ours are wanted in the texts. */
const speaking = (initialise: (RED: NodeAPI) => void) => (RED: NodeAPI) => {
  const translate = (key: string, values?: object) => (values && Object.keys(values).length > 0 ? `${key} ${JSON.stringify(values)}` : key);
  initialise(Object.create(RED, { _: { value: translate } }) as NodeAPI);
};
const nodes = [cgiDevice, cgiEvents, eventSchedule, eventLog, sqlDatabase, sqlQuery, eventInsert, aforoUpsert].map(speaking);

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
/** What would have ended a real Node-RED. */
export const unhandledRejections = (): readonly unknown[] => unhandled;

/** Call once per file. */
export function useRed(): void {
  beforeAll(async () => {
    helper.init(require.resolve('node-red'));
    await new Promise<void>((resolve) => helper.startServer(() => resolve()));
  });
  afterEach(async () => {
    await helper.unload();
  });
  afterAll(async () => {
    await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
  });
}

export const load = (flow: object[], credentials: Record<string, object> = {}): Promise<void> =>
  helper.load(nodes, flow as never, credentials);

export const unload = (): Promise<void> => helper.unload();

export function node(id: string): Node {
  const found = helper.getNode(id) as Node | null;
  if (!found) throw new Error(`no node ${id}: its type is not loaded`);
  return found;
}

/** Collects what arrives at a node of type `helper`. */
export function collect(id: string): Received[] {
  const received: Received[] = [];
  node(id).on('input', (msg) => received.push(msg as Received));
  return received;
}

const calls = (id: string, method: 'status' | 'warn' | 'error' | 'log'): unknown[] =>
  (node(id)[method] as unknown as Spy)
    .getCalls()
    .filter(({ thisValue }) => thisValue.id === id)
    .map(({ args }) => args[0]);

export const statuses = (id: string): { fill: string; shape: string; text: string }[] => calls(id, 'status') as never;
/** What failed messages of a node were failed with. */
export const errors = (id: string): { code?: string; message: string }[] => calls(id, 'error') as never;
export const warnings = (...ids: string[]): string[] => ids.flatMap((id) => calls(id, 'warn')) as string[];
export const logged = (...ids: string[]): string[] => ids.flatMap((id) => calls(id, 'log')) as string[];

/** Resolves once the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Long enough for what must not happen to happen. */
export const settle = (ms = 100): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
