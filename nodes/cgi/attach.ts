/** The attach request to a CGI device, and what its answers mean (facts/dahua-hanwha.md A1, A8). */
import { CodedError } from '../kit/errors';
import type { DeviceResponse } from '../kit/digest';

/** Heartbeat in seconds. Brackets stay as they are: strict firmware wants the signed uri to be the requested one. */
export const attachPath = (codes: readonly string[], heartbeat: number): string =>
  `/cgi-bin/eventManager.cgi?action=attach&codes=[${codes.join(',')}]&heartbeat=${heartbeat}`;

export const ALL: readonly string[] = ['All'];

export const isAll = (codes: readonly string[]): boolean => codes.some((code) => /^\[?all\]?$/i.test(code));

/** What an answer to the attach request means for the stream. */
export type Verdict =
  | { kind: 'stream'; boundary: string | undefined }
  /** The list of codes is refused, not the request. */
  | { kind: 'codes-refused' }
  /** The login was refused without a reason. */
  | { kind: 'refused' }
  /** No room for another connection. */
  | { kind: 'busy'; error: CodedError }
  | { kind: 'locked'; error: CodedError; forMs: number | undefined }
  /** `lasting`: waiting a little longer will not mend it. */
  | { kind: 'failed'; error: CodedError; lasting: boolean };

/** @param device host:port, for texts; @param explicit whether codes were listed instead of All */
export function judge(answer: DeviceResponse, device: string, explicit: boolean): Verdict {
  const { status } = answer;
  if (status === 200) return judgeStream(answer, device);
  const text = answer.refusalText ?? '';
  if (status === 401 || status === 403) {
    if (/lock/i.test(text)) return locked(text, device);
    if (/exceed|maximum number/i.test(text)) return { kind: 'busy', error: noRoom(device) };
    if (answer.auth.refused || answer.auth.scheme !== 'none') return { kind: 'refused' };
    // Refused before any login was sent, so no login was wrong.
    return failed('HTTP_STATUS', `${device} answered ${status} without asking for a login`, true);
  }
  if (explicit && (status === 400 || status === 500)) return { kind: 'codes-refused' };
  if (status === 404 || status === 405 || status === 501) {
    return failed('CGI_NOT_SUPPORTED', `${device} has no event interface (HTTP ${status}); newer cloud and battery devices have none`, true);
  }
  return failed('HTTP_STATUS', `${device} answered the attach request with HTTP ${status}`, status < 500);
}

function judgeStream(answer: DeviceResponse, device: string): Verdict {
  const header = [answer.headers['content-type'] ?? ''].flat().join(';');
  if (/^\s*(text\/html|application\/(json|xml))/i.test(header)) {
    return failed('CGI_NOT_A_STREAM', `${device} answered with ${header.split(';', 1)[0] ?? ''} instead of an event stream`, true);
  }
  return { kind: 'stream', boundary: /boundary\s*=\s*("[^"]*"|[^;\s]+)/i.exec(header)?.[1]?.replaceAll('"', '') };
}

function locked(text: string, device: string): Verdict {
  const seconds = /remainLockSecond\D{0,4}(\d+)/i.exec(text)?.[1];
  const minutes = /(\d+)\s*minute/i.exec(text)?.[1];
  const forMs = seconds ? Number(seconds) * 1000 : minutes ? Number(minutes) * 60_000 : undefined;
  return {
    kind: 'locked',
    // A login just before the end would begin the lock anew.
    forMs: forMs && Math.min(forMs, 24 * 3_600_000) + 10_000,
    error: new CodedError('AUTH_LOCKED', `${device} has locked this user or address; it will not be asked until the lock has passed`),
  };
}

export const noRoom = (device: string): CodedError =>
  new CodedError('AUTH_BUSY', `${device} refuses the login for now, as it does at its connection limit or after a restart; waiting`);

export const wrongLogin = (device: string, left: number): CodedError =>
  new CodedError(
    'AUTH_REFUSED',
    `${device} refused user and password; ${left > 0 ? `${left} more tries before the login is held back` : 'the login is held back'} so that the device does not lock the account`,
  );

const failed = (code: 'HTTP_STATUS' | 'CGI_NOT_SUPPORTED' | 'CGI_NOT_A_STREAM', text: string, lasting: boolean): Verdict => ({
  kind: 'failed',
  error: new CodedError(code, text),
  lasting,
});
