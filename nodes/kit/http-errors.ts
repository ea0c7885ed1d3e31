/** What went wrong on the way to a device, in words for people: which device, what it means, what to do. */
import { CodedError, type ErrorCode } from './errors';

interface Explanation {
  code: ErrorCode;
  text: (device: string, cause: string) => string;
}

const HOST_UNKNOWN: Explanation = {
  code: 'HOST_UNKNOWN',
  text: (device, cause) =>
    `The name of ${device} cannot be resolved (${cause}). Check the spelling and the DNS server, or use the IP address.`,
};
const REFUSED: Explanation = {
  code: 'HOST_UNREACHABLE',
  text: (device, cause) =>
    `${device} refuses the connection (${cause}). Check the port and that the service is enabled on the device.`,
};
const NO_ROUTE: Explanation = {
  code: 'HOST_UNREACHABLE',
  text: (device, cause) =>
    `No way to ${device} (${cause}). Check the address, the cable, the VLAN and the firewall between here and the device.`,
};
const NO_ANSWER: Explanation = {
  code: 'HOST_UNREACHABLE',
  text: (device, cause) =>
    `Nothing answers at ${device} (${cause}). Check that the device has power and the address and port are right.`,
};
const LOST: Explanation = {
  code: 'CONNECTION_LOST',
  text: (device, cause) =>
    `The connection to ${device} broke off (${cause}). The device restarted, closed it, or the network failed.`,
};
const NO_HEADERS: Explanation = {
  code: 'TIMEOUT',
  text: (device, cause) =>
    `${device} accepted the request but did not answer in time (${cause}). It may be overloaded or still starting.`,
};
const NO_BODY: Explanation = {
  code: 'TIMEOUT',
  text: (device, cause) =>
    `${device} stopped in the middle of its answer (${cause}). It may be overloaded, or the network failed.`,
};
const UNTRUSTED: Explanation = {
  code: 'TLS_FAILED',
  text: (device, cause) =>
    `The certificate of ${device} is not trusted (${cause}). Give the CA file that signed it, or choose not to verify.`,
};
const WRONG_NAME: Explanation = {
  code: 'TLS_FAILED',
  text: (device, cause) =>
    `The certificate of ${device} is made out to another name (${cause}). Use the name in the certificate, or choose not to verify.`,
};
const EXPIRED: Explanation = {
  code: 'TLS_FAILED',
  text: (device, cause) =>
    `The certificate of ${device} is not valid at this time (${cause}). Check both clocks and renew the certificate.`,
};
const HANDSHAKE: Explanation = {
  code: 'TLS_FAILED',
  text: (device, cause) =>
    `${device} and this machine agree on no TLS version or cipher (${cause}). Check that the port speaks HTTPS; for old firmware choose the legacy mode.`,
};
const MALFORMED: Explanation = {
  code: 'HTTP_MALFORMED',
  text: (device, cause) =>
    `The answer of ${device} is not valid HTTP (${cause}). Check that the port is the one of its web interface.`,
};

const BY_CODE: Record<string, Explanation> = {
  ENOTFOUND: HOST_UNKNOWN,
  EAI_AGAIN: HOST_UNKNOWN,
  ECONNREFUSED: REFUSED,
  EHOSTUNREACH: NO_ROUTE,
  EHOSTDOWN: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ENETDOWN: NO_ROUTE,
  EADDRNOTAVAIL: NO_ROUTE,
  ETIMEDOUT: NO_ANSWER,
  UND_ERR_CONNECT_TIMEOUT: NO_ANSWER,
  ECONNRESET: LOST,
  ECONNABORTED: LOST,
  EPIPE: LOST,
  UND_ERR_SOCKET: LOST,
  UND_ERR_HEADERS_TIMEOUT: NO_HEADERS,
  UND_ERR_BODY_TIMEOUT: NO_BODY,
  EPROTO: HANDSHAKE,
  ERR_TLS_CERT_ALTNAME_INVALID: WRONG_NAME,
  HOSTNAME_MISMATCH: WRONG_NAME,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: EXPIRED,
  INVALID_CA: UNTRUSTED,
  INVALID_PURPOSE: UNTRUSTED,
  UND_ERR_HEADERS_OVERFLOW: MALFORMED,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: MALFORMED,
};

const BY_PREFIX: [RegExp, Explanation][] = [
  [/^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_)/, UNTRUSTED],
  [/^ERR_(SSL|TLS|OSSL)_/, HANDSHAKE],
  [/^HPE_/, MALFORMED],
  // undici's parser error without an llhttp code.
  [/^HTTPParserError$/, MALFORMED],
];

/**
 * The coded error for a failure of undici, of a socket or of TLS.
 * @param error what was thrown; an AggregateError (several addresses tried) and a `cause` are looked into
 * @param device host:port, for the text
 * @returns HOST_UNKNOWN, HOST_UNREACHABLE, CONNECTION_LOST, TIMEOUT, TLS_FAILED or HTTP_MALFORMED; an error that is
 *   coded already, an abort and anything unknown come back as they are
 */
export function toNetworkError(error: unknown, device: string): Error {
  const original = error instanceof Error ? error : new Error(String(error));
  if (original instanceof CodedError || isAbort(original)) return original;
  for (const inner of layers(original)) {
    const cause = codeOf(inner) ?? inner.name;
    const explanation = explain(cause);
    if (explanation) return new CodedError(explanation.code, explanation.text(device, cause), { cause: original });
  }
  return original;
}

const isAbort = (error: Error) =>
  error.name === 'AbortError' || error.name === 'TimeoutError' || codeOf(error) === 'UND_ERR_ABORTED';

function codeOf(error: Error): string | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

const explain = (code: string): Explanation | undefined =>
  Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : BY_PREFIX.find(([prefix]) => prefix.test(code))?.[1];

/** The error, then those inside it; bounded, as a cause may point back. */
function layers(error: Error): Error[] {
  const found: Error[] = [error];
  for (let i = 0; i < found.length && found.length < 16; i += 1) {
    const current = found[i];
    const inside: unknown[] = current instanceof AggregateError ? [...(current.errors as unknown[])] : [];
    inside.push(current?.cause);
    for (const one of inside) if (one instanceof Error && !found.includes(one)) found.push(one);
  }
  return found;
}
