/**
 * Coded errors. Every failure that a person or a flow can meet has one code, listed here with what it means, so that
 * a Catch node can branch on `error.code` and a search for the code finds this file and the help.
 */

/** Every error code of the pack and its meaning. Codes are stable; texts are not. */
export const ERROR_CODES = {
  NOT_A_CAMERA_EVENT: 'The message carries no CameraEvent in msg.payload.',
  BAD_MESSAGE: 'The message asks for something the node cannot do.',
  NODE_FAILED: 'The node met an error it did not expect; it goes on with the next message.',

  CONFIG_INVALID: 'A property of the node is missing, of the wrong kind or out of range.',
  CONFIG_ENV_UNSET: 'A property names an environment variable that is not set.',
  CONFIG_NODE_MISSING: 'The node refers to a configuration node that is absent, disabled or itself misconfigured.',
  CREDENTIALS_MISSING: 'User or password is empty.',
  TLS_CA_UNREADABLE: 'The CA file cannot be read or holds no certificate.',

  HOST_UNKNOWN: 'The name of the device cannot be resolved.',
  HOST_UNREACHABLE: 'No connection to the device: refused, no route, or nothing answers.',
  CONNECTION_LOST: 'The connection was closed or broke off.',
  TIMEOUT: 'The device did not answer in time.',
  TLS_FAILED: 'The TLS handshake failed: certificate not trusted, name mismatch, or protocol too old.',
  HTTP_STATUS: 'The device answered with an HTTP status that is not a success.',
  HTTP_MALFORMED: 'The answer of the device is not valid HTTP.',

  AUTH_REFUSED: 'The device refused user and password.',
  AUTH_BUSY: 'The device refuses logins for now although they worked before, as it does at its connection limit.',
  AUTH_LOCKED: 'The device has locked the account or this address.',
  AUTH_UNSUPPORTED: 'The device offers no authentication scheme that can be used.',
  AUTH_BASIC_NOT_ALLOWED: 'The device offers Basic authentication only, and that is not allowed in its configuration.',

  CGI_NOT_SUPPORTED: 'The device has no CGI event interface at this address.',
  CGI_SILENT: 'The stream is open but not a byte came within three heartbeats.',
  CGI_ENDED: 'The device ended the event stream.',
  CGI_NOT_A_STREAM: 'The device answered the attach request with something that is not an event stream.',
  PART_TOO_LARGE: 'A part of the event stream exceeds the size limit; what fits was kept.',
  BAD_EVENT_LINE: 'A line that starts like an event has no code or action.',

  FILE_UNWRITABLE: 'A file or its folder cannot be written.',
  FILE_BACKLOG_FULL: 'The file has been unwritable for so long that the lines waiting for it exceed their limit.',

  FILE_UNREADABLE: 'A file is missing, cannot be read or is too large; what was last read well stays in force.',
  FILE_INVALID: 'A file has not the content it should have; what was last read well stays in force.',
  BAD_LOCAL_TIME: 'A local date or time does not exist, or not exactly once, in its time zone.',
  SCHEDULE_CONFLICT: 'Events of the schedule overlap, or a clock change leaves one without any time.',
  NO_EVENT_RUNNING: 'No event of the schedule was running when the message arrived, or at the time that it carries.',

  STORE_FULL: 'The embedded store cannot grow: the disk is full, or the store has reached its size limit.',
  STORE_CORRUPT: 'The file of the embedded store is damaged.',
  STORE_LOCKED: 'Another process is using the file of the embedded store.',
  STORE_FAILED: 'The embedded store cannot be opened, read or written.',
  OUTBOX_FULL: 'As much is waiting to be sent as the outbox may hold.',

  AVIGILON_CLOCK_SKEW: 'The server refused the login token, and its clock and that of this machine differ by more than 5 minutes.',
  AVIGILON_NONCE_OR_KEY: 'The server refused the login token although the clocks agree: nonce, key or integration id is wrong.',
  AVIGILON_PASSWORD: 'The server refused user and password.',
  AVIGILON_SESSION_REFUSED: 'The server refuses a session that it has just given, for lack of rights or because of how the session is sent.',
  AVIGILON_REQUEST_REFUSED: 'The server understood the request and refused it.',
  AVIGILON_UNAVAILABLE: 'The server cannot answer now; reading goes on later from where it stopped.',
  AVIGILON_BAD_ANSWER: 'The answer is not what the Web Endpoint gives: another service, a wrong path, or a list without end.',
  AVIGILON_WEBHOOK_FORGED: 'A message to the webhook does not carry the proof that the server gives.',
  AVIGILON_WEBHOOK_STALE: 'A message to the webhook is too old or from the future; it may be a recording.',
  AVIGILON_WEBHOOK_SILENT: 'The webhook is registered but nothing arrives; events are polled instead.',
  AVIGILON_WEBHOOK_OVERFLOW: 'More events are pushed than can be handed on; what was left out is read by polling.',

  EVENT_FILTERED: 'No rule of the node asks for this event.',
  EVENT_TOO_OLD: 'The event is older than what the ledger remembers; whether it was counted before cannot be known.',
  EVENT_NAME_MISSING: 'The message names no event of the schedule, and the node has no name to fall back on.',

  SQL_NAME_INVALID: 'The name of a table or column is empty, too long or holds characters that names cannot have.',
  SQL_UNAVAILABLE: 'The database does not answer, or the connection broke; what waits is kept and written later.',
  SQL_BUSY: 'Others held what the statement needed, again and again.',
  SQL_LOGIN_REFUSED: 'The server refused the login: wrong user or password, or no such database.',
  SQL_TABLE_MISSING: 'The database has no table or view of this name.',
  SQL_COLUMN_MISSING: 'The table has no column of this name.',
  SQL_NOT_ALLOWED: 'The database user has no permission for this.',
  SQL_REFUSED: 'The database refused the statement.',
  SQL_ROW_REFUSED: 'The data of this row does not fit its table; other rows are stored.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code. `field` names the configuration property at fault, as the dialog stores it. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;

  /** @param code one of {@link ERROR_CODES}; @param text what failed and what to do, without secrets */
  constructor(code: ErrorCode, text: string, options: { field?: string; cause?: unknown } = {}) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.field = options.field;
  }
}

/** The error itself where it is coded already, else `fallback` around it. */
export function coded(error: unknown, fallback: ErrorCode = 'NODE_FAILED'): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError(fallback, error instanceof Error ? error.message : String(error), { cause: error });
}

/** What output messages carry of an error: `{code, text}`. */
export interface Reason {
  code: ErrorCode;
  text: string;
}

export const reasonOf = (error: CodedError): Reason => ({ code: error.code, text: error.message });
