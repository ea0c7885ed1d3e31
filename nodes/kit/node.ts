/**
 * The harness: every node of the pack is made with `defineNode`. It reads the properties, guards every entry into our code
 * (an unhandled rejection ends Node-RED), ends the node through one AbortSignal, and gives the node its status texts,
 * counters and its one way of speaking.
 */
import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import type { z } from 'zod';
import { systemClock, type Clock, type Random } from './clock';
import { fillIn, readConfig, type EnvLookup } from './config';
import { countersOf, forgetCounters, type Counters } from './counters';
import { CodedError, coded } from './errors';
import { addRoute, type RouteHandler } from './http-node';

/** What `start` hands back to the harness. */
export interface Running<Provides = unknown> {
  /** A message came in. `done` follows by itself; throw a CodedError to fail the message. */
  input?: (msg: NodeMessageInFlow, send: Send) => void | Promise<void>;
  /** The node is being stopped; `kit.signal` is aborted already. At most 14 s. */
  close?: (removed: boolean) => void | Promise<void>;
  /** Configuration nodes: what other nodes get from `kit.use`. */
  provides?: Provides;
}

export type Send = (msg: object | (object | null)[]) => void;

export type StatusFill = 'red' | 'green' | 'yellow' | 'blue' | 'grey';

export interface NodeDefinition<Schema extends z.ZodObject, Secrets extends string> {
  type: string;
  config: Schema;
  /** Credentials and whether the editor may read them back. `${ENV}` in them is filled in. */
  credentials?: Record<Secrets, 'text' | 'password'>;
  /** Throw a CodedError where the node cannot work as configured: it shows red and waits for a new configuration. */
  start: (kit: Kit<z.infer<Schema>, Secrets>) => Running;
  /** Once, when the type is registered: routes for the dialog. */
  register?: (RED: NodeAPI) => void;
}

const CLOSE_LIMIT_MS = 14_000;

/** What configuration nodes provide, or the error that keeps them from it. */
const provided = new WeakMap<object, { value: unknown } | { error: CodedError }>();

/** What a node's own code gets to work with. */
export class Kit<Config, Secrets extends string = never> {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #abort = new AbortController();
  readonly config: Config;
  readonly credentials: Record<Secrets, string>;
  readonly counters: Counters;
  readonly clock: Clock = systemClock;
  readonly random: Random = Math.random;
  #down = false;

  constructor(RED: NodeAPI, node: Node, config: Config, credentials: Record<Secrets, string>) {
    this.#RED = RED;
    this.#node = node;
    this.config = config;
    this.credentials = credentials;
    this.counters = countersOf(node.z || 'global', node.id, node.type);
  }

  /** Aborted when the node is stopped. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The node's id, for keys of what it keeps; another one after an import. */
  get id(): string {
    return this.#node.id;
  }

  /** The user directory, for relative paths of files. */
  get userDir(): string {
    return (this.#RED.settings as { userDir?: string }).userDir ?? process.cwd();
  }

  /** Environment variables as this node sees them: its group's, its tab's, the process's. */
  readonly env: EnvLookup = (name) => this.#RED.util.getSetting(this.#node, name);

  /** Sends from a source, outside of any input; `null` leaves an output out. */
  send(messages: object | (object | null)[]): void {
    if (!this.signal.aborted) this.#node.send(messages as Parameters<Node['send']>[0]);
  }

  /** @param key in the node's catalogue under `status`; with `values` it is translated here, else in each editor */
  status(fill: StatusFill, shape: 'dot' | 'ring', key: string, values?: Record<string, string | number>): void {
    if (!this.signal.aborted) this.#node.status({ fill, shape, text: statusText(this.#RED, key, values) });
  }

  /** Says once that something is not working; further calls are silent until `up`. */
  down(error: CodedError): void {
    if (this.#down) return;
    this.#down = true;
    this.warn(error);
  }

  /** Says once that it works again. */
  up(text: string): void {
    if (!this.#down) return;
    this.#down = false;
    this.#node.log(text);
  }

  log(text: string): void {
    this.#node.log(text);
  }

  warn(error: CodedError): void {
    this.#node.warn(`${error.code}: ${error.message}`);
  }

  /** For what a device may do any number of times: said the 1st, 10th, 100th … time, with the count. */
  warnRarely(error: CodedError): void {
    const count = (this.#warned.get(error.code) ?? 0) + 1;
    this.#warned.set(error.code, count);
    if (Number.isInteger(Math.log10(count))) this.warn(count === 1 ? error : new CodedError(error.code, `${error.message} (${count} times)`));
  }
  readonly #warned = new Map<string, number>();

  /** A text of the node's catalogue in the language of the runtime. */
  translate(key: string, values: Record<string, string | number> = {}): string {
    return translate(this.#RED, key, values);
  }

  /** A callback for timers and emitters: what it throws, or rejects with, is logged and shown, and ends nothing. */
  guard<A extends unknown[]>(run: (...args: A) => void | Promise<void>): (...args: A) => void {
    const failed = (error: unknown): void => {
      this.counters.failed++;
      const wrong = coded(error);
      this.warnRarely(wrong);
      this.status('red', 'ring', 'failed', { code: wrong.code });
    };
    return (...args) => {
      try {
        const running = run(...args);
        if (running instanceof Promise) running.catch(failed);
      } catch (error) {
        failed(error);
      }
    };
  }

  /**
   * Serves a path below httpNodeRoot until the node is stopped.
   * @returns the path as clients see it; @throws CodedError CONFIG_INVALID, without a field
   */
  serve(method: 'GET' | 'POST', path: string, handler: RouteHandler): string {
    const route = addRoute(this.#RED, method, path, this.guard(handler));
    this.signal.addEventListener('abort', route.remove, { once: true });
    return route.path;
  }

  /**
   * What a configuration node provides.
   * @param field the property that refers to it; @throws CodedError CONFIG_NODE_MISSING, or the other node's own error
   */
  use(id: string, field: string): unknown {
    const other = id ? (this.#RED.nodes.getNode(id) as Node | null) : null;
    const result = other ? provided.get(other) : undefined;
    if (!other || !result) {
      throw new CodedError('CONFIG_NODE_MISSING', `${field}: the configuration node is missing or disabled`, { field });
    }
    if ('error' in result) {
      const { code, message, field: inner } = result.error;
      throw new CodedError(code, message, { field: inner ?? field, cause: result.error });
    }
    return result.value;
  }

  /** For the harness: no more messages, statuses or work from here on. */
  abort(): void {
    this.#abort.abort(new CodedError('CONNECTION_LOST', 'the node was stopped'));
  }
}

/** A node type; `export =` the result from the node's file. */
export function defineNode<Schema extends z.ZodObject, Secrets extends string = never>(
  definition: NodeDefinition<Schema, Secrets>,
): (RED: NodeAPI) => void {
  return (RED) => {
    function construct(this: Node, def: NodeDef): void {
      RED.nodes.createNode(this, def);
      run(RED, this, definition, def);
    }
    RED.nodes.registerType(definition.type, construct, {
      credentials: Object.fromEntries(
        Object.entries<'text' | 'password'>(definition.credentials ?? {}).map(([name, type]) => [name, { type }]),
      ),
    });
    definition.register?.(RED);
  };
}

function run<Schema extends z.ZodObject, Secrets extends string>(
  RED: NodeAPI,
  node: Node,
  definition: NodeDefinition<Schema, Secrets>,
  def: NodeDef,
): void {
  let kit: Kit<z.infer<Schema>, Secrets> | undefined;
  let running: Running;
  try {
    const env: EnvLookup = (name) => RED.util.getSetting(node, name);
    kit = new Kit(RED, node, readConfig(definition.config, def, env), readCredentials(definition, node, env));
    running = definition.start(kit);
    provided.set(node, { value: running.provides });
  } catch (error) {
    const wrong = coded(error);
    provided.set(node, { error: wrong });
    // What a configuration node cannot do it has said itself.
    if (!(wrong.cause instanceof CodedError)) node.warn(`${wrong.code}: ${wrong.message}`);
    node.status({ fill: 'red', shape: 'ring', text: statusText(RED, 'config', { field: wrong.field ?? wrong.code }) });
    running = {
      input: () => {
        throw wrong;
      },
    };
  }
  const { input, close } = running;

  let arrived = 0;
  if (input) {
    node.on('input', (msg, send, done) => {
      arrived++;
      const failed = (error: unknown): void => {
        if (kit) kit.counters.failed++;
        done(coded(error));
      };
      try {
        const working = input(msg, send as Send);
        if (working instanceof Promise) working.then(() => done(), failed);
        else done();
      } catch (error) {
        failed(error);
      }
    });
  }

  node.on('close', (removed: boolean, done: () => void) => {
    kit?.abort();
    if (removed) forgetCounters(node.z || 'global', node.id);
    const limit = setTimeout(() => {
      node.warn('NODE_FAILED: stopping took too long, what was open is left to the runtime');
      done();
    }, CLOSE_LIMIT_MS);
    quiet(() => arrived)
      .then(() => close?.(removed))
      .catch((error: unknown) => {
        const { code, message } = coded(error);
        node.warn(`${code}: ${message}`);
      })
      .finally(() => {
        clearTimeout(limit);
        done();
      })
      .catch(() => undefined);
  });
}

/** Rounds of the event loop without a message after which none is on its way. */
const QUIET_ROUNDS = 5;

/**
 * Resolves when no more messages arrive: at a stop those that other nodes had sent are still in Node-RED's queue, and a node that
 * acknowledges must take them.
 */
async function quiet(arrived: () => number): Promise<void> {
  const end = performance.now() + CLOSE_LIMIT_MS / 2;
  for (let silent = 0, before = arrived(); silent < QUIET_ROUNDS && performance.now() < end; silent++) {
    await new Promise((round) => setImmediate(round));
    if (arrived() === before) continue;
    before = arrived();
    silent = -1;
  }
}

function readCredentials<Schema extends z.ZodObject, Secrets extends string>(
  definition: NodeDefinition<Schema, Secrets>,
  node: Node,
  env: EnvLookup,
): Record<Secrets, string> {
  const stored = ((node as { credentials?: unknown }).credentials ?? {}) as Partial<Record<string, unknown>>;
  return Object.fromEntries(
    Object.keys(definition.credentials ?? {}).map((name) => {
      const value = stored[name];
      return [name, typeof value === 'string' ? fillIn(value, env, name) : ''];
    }),
  ) as Record<Secrets, string>;
}

/** Without values the catalogue key itself goes out and each editor shows it in its own language. */
function statusText(RED: NodeAPI, key: string, values?: Record<string, string | number>): string {
  return values ? translate(RED, `status.${key}`, values) : `status.${key}`;
}

/** The type definitions of Node-RED know only the key. */
const translate = (RED: NodeAPI, key: string, values: Record<string, string | number>): string =>
  (RED as unknown as { _: (key: string, values: object) => string })._(key, values);
