/**
 * SQL Server's and its driver's errors, by number and code, never by text, which is localised (facts/sql-server.md). The server's
 * own words are passed on only where they name objects; where they could quote a row's values they are not.
 */
import { CodedError, coded, type ErrorCode } from '../kit/errors';
import { SqlError, type FailureKind } from './sql-error';

/** Of another table of somebody's, or of our own ledger: the caller knows. */
const DUPLICATE = new Set([2627, 2601]);

/** Deadlock victim, lock timeout, update conflict of snapshot isolation. */
const RACE = new Set([1205, 1222, 3960]);

const ROW: Record<number, string> = {
  2628: 'a text is too long for its column',
  8152: 'a text is too long for its column',
  8115: 'a number is too large for its column',
  220: 'a number is too large for its column',
  232: 'a number is too large for its column',
  245: 'a value is not of the type of its column',
  8114: 'a value is not of the type of its column',
  241: 'a value is not a date and time',
  242: 'a date and time is out of the range of its column',
  515: 'a column that has no value must have one',
  547: 'a value is not among those that a constraint allows',
};
/** Raised by the user's own triggers and procedures. */
const USER_DEFINED = 50_000;

const CONFIGURATION: Record<number, [ErrorCode, string]> = {
  208: ['SQL_TABLE_MISSING', 'create it with the dialog of the database or the script for it'],
  2812: ['SQL_TABLE_MISSING', 'there is no such procedure'],
  207: ['SQL_COLUMN_MISSING', 'correct the columns of the node'],
  229: ['SQL_NOT_ALLOWED', 'grant it to the database user'],
  230: ['SQL_NOT_ALLOWED', 'grant it to the database user'],
  262: ['SQL_NOT_ALLOWED', 'grant it to the database user'],
  916: ['SQL_NOT_ALLOWED', 'let the login into the database'],
  4060: ['SQL_LOGIN_REFUSED', 'there is no such database, or the login may not open it'],
  18456: ['SQL_LOGIN_REFUSED', 'check user and password'],
};

/** Resource limits, failovers and what Azure SQL calls transient. */
const PASSING = new Set([
  701, 802, 1105, 1204, 3906, 8645, 8651, 9002, 976, 978, 983, 4221, 615, 6005, 17142, 10928, 10929, 40143, 40197, 40501, 40540, 40613, 49918, 49919, 49920,
]);
const SEVERE = 17;

/** The connection, or the transaction with it, is gone: whether what was asked has been done is unknown. */
const NETWORK_CODES = new Set([
  ...['ESOCKET', 'ETIMEOUT', 'ECONNRESET', 'ECONNREFUSED', 'ECONNCLOSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'EINSTLOOKUP'],
  ...['ENOTOPEN', 'ENOCONN', 'ECANCEL', 'EABORT', 'ENOTBEGUN', 'EINVALIDSTATE', 'EREQINPROG'],
]);

const TLS_CODES = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|CERT_|ERR_TLS_|ERR_SSL_|EPROTO$)/;

interface DriverError {
  name?: string;
  code?: unknown;
  number?: unknown;
  class?: unknown;
  message?: string;
  precedingErrors?: unknown;
  originalError?: unknown;
  cause?: unknown;
}

/** @param server where, for the text */
export function sqlserverError(error: unknown, server: string): CodedError {
  if (error instanceof CodedError) return error;
  const chain = chainOf(error);
  for (const link of chain) {
    const known = typeof link.number === 'number' ? byNumber(link.number, link, server, error) : undefined;
    if (known) return known;
  }
  if (chain.some(({ code }) => typeof code === 'string' && TLS_CODES.test(code))) {
    return failure('configuration', 'TLS_FAILED', `${server}: the certificate is not trusted. Name the file of its authority, or allow it explicitly`, { cause: error });
  }
  if (chain.some(({ code }) => code === 'ELOGIN')) {
    // The driver gives no number here: all three look alike (facts/sql-server.md).
    return failure('configuration', 'SQL_LOGIN_REFUSED', `${server}: the login was refused: wrong user or password, or no such database`, { cause: error });
  }
  const network = chain.find(({ code, name }) => NETWORK_CODES.has(String(code)) || name === 'TimeoutError');
  if (network) return failure('retry', 'SQL_UNAVAILABLE', `${server}: no answer, or the connection broke (${typeof network.code === 'string' ? network.code : 'timeout'})`, { cause: error });
  const first = chain.find(({ code }) => typeof code === 'string');
  if (!first) return coded(error);
  return failure('configuration', 'SQL_REFUSED', `${server}: ${first.message ?? 'unknown error'}`, { cause: error });
}

function byNumber(number: number, { message = '', class: severity }: DriverError, server: string, cause: unknown): SqlError | undefined {
  const options = { number, cause };
  if (DUPLICATE.has(number)) return failure('duplicate', 'SQL_ROW_REFUSED', `the key is there already (SQL Server error ${number})`, options);
  if (RACE.has(number)) return failure('race', 'SQL_BUSY', `${server}: somebody else held what was needed (SQL Server error ${number})`, options);
  const row = number >= USER_DEFINED ? 'a trigger of the table refused it' : ROW[number];
  if (row !== undefined) return failure('row', 'SQL_ROW_REFUSED', `${row} (SQL Server error ${number})`, options);
  const configuration = CONFIGURATION[number];
  if (configuration) return failure('configuration', configuration[0], `${server}: ${message} (SQL Server error ${number}); ${configuration[1]}`, options);
  if (PASSING.has(number) || Number(severity) >= SEVERE) {
    return failure('retry', 'SQL_UNAVAILABLE', `${server}: not able to work at the moment (SQL Server error ${number})`, options);
  }
  return failure('configuration', 'SQL_REFUSED', `${server}: ${message} (SQL Server error ${number})`, options);
}

/** The error, what came before it and what lies beneath. Numbers of mere followers ("the statement has been terminated") come last. */
function chainOf(error: unknown): DriverError[] {
  const chain: DriverError[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || chain.includes(value) || chain.length > 20) return;
    const link = value as DriverError;
    if (Array.isArray(link.precedingErrors)) link.precedingErrors.forEach(visit);
    chain.push(link);
    visit(link.originalError);
    visit(link.cause);
  };
  visit(error);
  return chain;
}

const failure = (kind: FailureKind, code: ErrorCode, text: string, options: { number?: number; cause?: unknown }): SqlError => new SqlError(kind, code, text, options);
