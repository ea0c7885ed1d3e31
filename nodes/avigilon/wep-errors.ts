/** What an answer that says no means, in words for people (facts/avigilon-een.md A3). */
import { CodedError, type ErrorCode } from '../kit/errors';
import type { WepAnswer } from './wep-http';

/** The server refused or could not carry out one request; the login is not in doubt. */
export class WepError extends CodedError {
  readonly status: number;

  constructor(code: ErrorCode, text: string, status: number) {
    super(code, text);
    this.status = status;
  }
}

/** The login was refused, or is held back after that; no login is tried for `retryInMs`. */
export class LoginError extends CodedError {
  readonly retryInMs: number;
  /** Until a person or a long time mends it. */
  readonly blocked: boolean;

  constructor(error: CodedError, retryInMs: number, blocked: boolean) {
    super(error.code, error.message, { cause: error });
    this.retryInMs = retryInMs;
    this.blocked = blocked;
  }
}

export const isRefusal = (status: number): boolean => status === 401 || status === 403;

/** The error of an answer to anything but a login, or undefined where it is a success. */
export function requestError({ status, message, isJson }: WepAnswer, what: string, label: string): WepError | undefined {
  if (status < 300 && isJson) return undefined;
  const said = message ? `: ${message}` : '';
  if (isRefusal(status)) {
    const text = `${label} refuses ${what} with a session it has just given (HTTP ${status}${said}). Check the rights of the user, and the session transport: versions before 7.12 need the query.`;
    return new WepError('AVIGILON_SESSION_REFUSED', text, status);
  }
  if (status >= 500) {
    return new WepError('AVIGILON_UNAVAILABLE', `${label} could not carry out ${what} (HTTP ${status}${said}). It may be overloaded, starting, or without connection to the ACC server.`, status);
  }
  if (!isJson || status < 400) return notTheApi(label, status);
  return new WepError('AVIGILON_REQUEST_REFUSED', `${label} refused ${what} (HTTP ${status}${said}).`, status);
}

export const notTheApi = (label: string, status: number): WepError =>
  new WepError('AVIGILON_BAD_ANSWER', `${label} does not answer like a Web Endpoint (HTTP ${status}). Check the port, which is 8443 on Windows and 443 on appliances, and the path.`, status);

/** Logins are held back after refusals of the password. */
export const heldBack = (label: string): WepError =>
  new WepError('AVIGILON_PASSWORD', `${label} refused user and password; the login is held back so that the account is not locked. Correct them, or ask for another try.`, 401);

/** Beyond it the server refuses the login token (facts A2). */
export const MAX_SKEW_MS = 5 * 60_000;

/**
 * Why a login was refused. 403 is nearly always clock, nonce or key and not the password (facts A9.1); the server's own time,
 * from the answer's Date header, tells the first from the others.
 */
export function loginError(answer: WepAnswer, serverAheadMs: number | undefined, label: string): WepError {
  const { status, message } = answer;
  const said = message ? `: ${message}` : '';
  if (status === 401) return new WepError('AVIGILON_PASSWORD', `${label} refused user and password (HTTP 401${said}).`, status);
  if (status !== 403) return (status === 404 ? undefined : requestError(answer, 'the login', label)) ?? notTheApi(label, status);
  if (serverAheadMs !== undefined && Math.abs(serverAheadMs) > MAX_SKEW_MS) {
    const text = `${label} refused the login token; its clock is ${inWords(Math.abs(serverAheadMs))} ${serverAheadMs > 0 ? 'ahead of' : 'behind'} this machine's. Set both by the same time server.`;
    return new WepError('AVIGILON_CLOCK_SKEW', text, status);
  }
  const clocks = serverAheadMs === undefined ? 'It did not tell its time, so the clocks may differ too' : 'The clocks agree';
  return new WepError('AVIGILON_NONCE_OR_KEY', `${label} refused the login token (HTTP 403${said}). ${clocks}; check nonce, key and integration id, which are of the integration and not of the user.`, status);
}

function inWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes} minutes` : minutes < 48 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
}
