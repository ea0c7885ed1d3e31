/**
 * A server that speaks TDS 7.4 for the control flow of SQL Server clients: login, parameters, transactions, error numbers,
 * connections that are killed or hang. It runs no SQL: each test says what a statement answers.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { MessageReader, PACKET, packets, type TdsMessage } from './packets';
import { readBatch, readLogin, readRpc, readTransaction, type Login, type Statement } from './requests';
import { databaseChange, done, error, loginAck, packetSize, returnStatus, rowSet, transactionChange, type TdsError, type TdsValue } from './tokens';

/** What a statement, or an end of a transaction, does. */
export type TdsReply =
  | { rows?: readonly Record<string, TdsValue>[]; affected?: number }
  | { error: TdsError; /** As XACT_ABORT and deadlocks do. */ rollback?: boolean }
  | 'hang'
  | 'kill';

/** One connection, as handlers see it. */
export interface TdsSession {
  readonly id: number;
  readonly login: Login;
  readonly inTransaction: boolean;
}

export interface TdsServerOptions {
  /** Default 127.0.0.1 and a free port. */
  port?: number;
  users?: Record<string, string>;
  databases?: readonly string[];
  /** Answers statements; default: no rows, nothing affected. */
  answer?: (statement: Statement, session: TdsSession) => TdsReply | Promise<TdsReply>;
  /** Answers commit and rollback. */
  ending?: (what: 'commit' | 'rollback', session: TdsSession) => TdsReply;
}

interface Connection extends TdsSession {
  inTransaction: boolean;
  login: Login;
  socket: Socket;
  descriptor: Buffer;
  ready: boolean;
  /** A statement is not answered yet, and never will be. */
  hanging: boolean;
}

export class TdsServer {
  /** Statements and transaction ends in order of arrival, with the connection each came on. */
  readonly log: { session: number; what: string; params: Record<string, unknown> }[] = [];
  connectionsOpened = 0;
  refusedLogins = 0;
  committed = 0;
  rolledBack = 0;
  /** Accept connections and say nothing. */
  hung = false;
  #server: Server | undefined;
  #port: number;
  #transactions = 0;
  readonly #connections = new Set<Connection>();
  readonly #options: TdsServerOptions;

  constructor(options: TdsServerOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  get connectionsOpen(): number {
    return this.#connections.size;
  }

  async start(): Promise<void> {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Kills all connections; the server goes on listening. Open transactions are rolled back. */
  killAll(): void {
    for (const { socket } of this.#connections) socket.resetAndDestroy();
  }

  /** No longer there, until `start`. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.killAll();
    if (!server) return;
    server.close();
    await once(server, 'close');
  }

  #accept(socket: Socket): void {
    this.connectionsOpened++;
    const connection: Connection = {
      id: this.connectionsOpened,
      socket,
      inTransaction: false,
      login: { user: '', password: '', database: '', app: '' },
      descriptor: Buffer.alloc(8),
      ready: false,
      hanging: false,
    };
    this.#connections.add(connection);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#connections.delete(connection);
      if (connection.inTransaction) this.rolledBack++;
    });
    const reader = new MessageReader();
    let turn: Promise<void> = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      if (this.hung) return;
      for (const message of reader.push(chunk)) {
        // An attention overtakes the statement that it cancels.
        if (message.type === PACKET.attention) attend(connection);
        else turn = turn.then(() => this.#serve(connection, message));
      }
    });
  }

  async #serve(connection: Connection, { type, body }: TdsMessage): Promise<void> {
    const { socket } = connection;
    switch (type) {
      case PACKET.prelogin:
        socket.write(packets(PRELOGIN));
        return;
      case PACKET.login:
        this.#logIn(connection, readLogin(body));
        return;
      case PACKET.transaction:
        this.#transaction(connection, body);
        return;
      case PACKET.batch:
      case PACKET.rpc: {
        const statement = type === PACKET.rpc ? readRpc(body) : readBatch(body);
        if (!connection.ready) {
          // The client's own SET options, before anything of the user's.
          connection.ready = true;
          this.#reply(connection, {}, false);
          return;
        }
        this.log.push({ session: connection.id, what: statement.sql, params: statement.params });
        const reply = (await this.#options.answer?.(statement, connection)) ?? {};
        this.#reply(connection, reply, type === PACKET.rpc);
        return;
      }
      default:
        socket.destroy();
    }
  }

  #logIn(connection: Connection, login: Login): void {
    const { users = { sa: 'sa' }, databases } = this.#options;
    const known = users[login.user] === login.password && (!databases || !login.database || databases.includes(login.database));
    if (!known) {
      this.refusedLogins++;
      connection.socket.write(packets(Buffer.concat([error({ number: 18456, severity: 14, message: 'login failed' }), done('batch', 2)])));
      return;
    }
    connection.login = login;
    connection.socket.write(packets(Buffer.concat([databaseChange(login.database || 'master'), packetSize(), loginAck(), done('batch', 0)])));
  }

  #transaction(connection: Connection, body: Buffer): void {
    const request = readTransaction(body);
    this.log.push({ session: connection.id, what: request, params: {} });
    if (request === 'begin') {
      connection.inTransaction = true;
      connection.descriptor = Buffer.alloc(8);
      connection.descriptor.writeUInt32LE(++this.#transactions);
      connection.socket.write(packets(Buffer.concat([transactionChange(8, connection.descriptor), done('batch', 0)])));
      return;
    }
    if (request !== 'commit' && request !== 'rollback') {
      connection.socket.write(packets(done('batch', 0)));
      return;
    }
    const reply = this.#options.ending?.(request, connection) ?? {};
    if (reply === 'hang') return;
    if (reply === 'kill') {
      connection.socket.resetAndDestroy();
      return;
    }
    if ('error' in reply) {
      connection.socket.write(packets(Buffer.concat([error(reply.error), done('batch', 2)])));
      return;
    }
    connection.socket.write(packets(Buffer.concat([this.#end(connection, request), done('batch', 0)])));
  }

  #end(connection: Connection, how: 'commit' | 'rollback'): Buffer {
    connection.inTransaction = false;
    if (how === 'commit') this.committed++;
    else this.rolledBack++;
    return transactionChange(how === 'commit' ? 9 : 10, connection.descriptor);
  }

  #reply(connection: Connection, reply: TdsReply, rpc: boolean): void {
    if (reply === 'hang') {
      connection.hanging = true;
      return;
    }
    if (reply === 'kill') {
      connection.socket.resetAndDestroy();
      return;
    }
    const last = rpc ? 'procedure' : 'batch';
    if ('error' in reply) {
      const rollback = reply.rollback && connection.inTransaction ? [this.#end(connection, 'rollback')] : [];
      connection.socket.write(packets(Buffer.concat([error(reply.error), ...rollback, done(last, 2)])));
      if ((reply.error.severity ?? 0) >= 20) connection.socket.end();
      return;
    }
    const { rows, affected } = reply;
    const count = rows?.length ?? affected ?? 0;
    const body = [...(rows && rows.length > 0 ? [rowSet(rows)] : [])];
    if (rpc) body.push(done('inProcedure', 0x11, count), returnStatus(), done('procedure', 0));
    else body.push(done('batch', 0x10, count));
    connection.socket.write(packets(Buffer.concat(body)));
  }
}

/** A cancelled statement is answered as failed, and the attention in a message of its own. */
function attend(connection: Connection): void {
  if (connection.hanging) connection.socket.write(packets(done('batch', 2)));
  connection.hanging = false;
  connection.socket.write(packets(done('batch', 0x20)));
}

/** Version, "encryption is not supported", end. */
const PRELOGIN = Buffer.from([0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 0x02]);

export async function startTdsServer(options: TdsServerOptions = {}): Promise<TdsServer> {
  const server = new TdsServer(options);
  await server.start();
  return server;
}
