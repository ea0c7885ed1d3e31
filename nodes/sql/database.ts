/** What the sinks stand on: one interface for the embedded database and SQL Server. */
import type { Statements } from './statements';

export type Dialect = 'sqlite' | 'sqlserver';

/** What a parameter may be. Dates go in as UTC. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null;

/** A row as the driver gives it, by column name. */
export type Row = Record<string, unknown>;

/**
 * SQL text with parameters written `@name` in it. Several steps run one after the other, in one round trip where the server
 * takes that. Values are never part of the text.
 */
export interface Statement {
  steps: readonly string[];
  params: Readonly<Record<string, SqlValue>>;
}

export interface Session {
  /** The rows of all steps together. @throws SqlError */
  query(statement: Statement): Promise<Row[]>;
}

export interface Database extends Session {
  readonly dialect: Dialect;
  /** Where it is, for texts and for the names of effects: file name or database name; no credentials. */
  readonly name: string;
  readonly statements: Statements;
  /**
   * All of `work` or nothing of it. When it throws a SqlError of kind `retry` the outcome is unknown: run the same work again,
   * which must find out by itself what is done already.
   */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** One statement of the user's, with the number of rows it changed. @throws SqlError */
  execute(statement: Statement): Promise<{ rows: Row[]; changes: number }>;
  close(): Promise<void>;
}
