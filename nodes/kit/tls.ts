/**
 * How a device's certificate is checked. Verify by default; everything weaker is the user's explicit choice.
 */
import { X509Certificate, constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { CodedError } from './errors';

/**
 * - `verify`: against the authorities that Node trusts.
 * - `ca`: against the authorities in one PEM file, and no other.
 * - `insecure`: encrypted, but the certificate is not checked.
 * - `legacy`: as `insecure`, and down to TLS 1.0 with old ciphers and old renegotiation, for firmware that knows
 *   nothing newer (facts/dahua-hanwha.md A8).
 */
export type TlsMode = 'verify' | 'ca' | 'insecure' | 'legacy';

export interface TlsSettings {
  mode: TlsMode;
  /** Path of a PEM file with one or more CA certificates; needed in mode `ca`, else ignored. */
  caFile?: string | undefined;
}

/** The properties of a configuration node that say how its device is to be trusted. */
export interface TlsProperties {
  tlsVerify: boolean;
  tlsCaFile: string;
  tlsLegacy: boolean;
}

export function tlsSettings({ tlsVerify, tlsCaFile, tlsLegacy }: TlsProperties): TlsSettings {
  if (tlsLegacy) return { mode: 'legacy' };
  if (!tlsVerify) return { mode: 'insecure' };
  return tlsCaFile ? { mode: 'ca', caFile: tlsCaFile } : { mode: 'verify' };
}

export type TlsConnectOptions = Pick<
  ConnectionOptions,
  'ca' | 'rejectUnauthorized' | 'minVersion' | 'ciphers' | 'secureOptions'
>;

/**
 * The TLS part of an undici Agent's `connect` options.
 * @throws {CodedError} TLS_CA_UNREADABLE, field `tlsCaFile`: no file, not readable, or no certificate in it
 */
export function tlsOptions({ mode, caFile }: TlsSettings): TlsConnectOptions {
  switch (mode) {
    case 'verify':
      return {};
    case 'ca':
      return { ca: readCaFile(caFile) };
    case 'insecure':
      return { rejectUnauthorized: false };
    case 'legacy':
      return {
        rejectUnauthorized: false,
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
        secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
      };
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function readCaFile(caFile: string | undefined): string[] {
  if (!caFile) throw unreadable('No CA file is given. Name the PEM file of the authority that signed the certificate');
  let text: string;
  try {
    text = readFileSync(caFile, 'latin1');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw unreadable(`The CA file ${caFile} cannot be read (${why}). Check the path and that Node-RED may read it`, error);
  }
  const certificates = text.match(PEM_CERTIFICATE);
  if (!certificates) {
    throw unreadable(`The CA file ${caFile} holds no PEM certificate. Export the authority's certificate as PEM (Base-64)`);
  }
  try {
    for (const pem of certificates) new X509Certificate(pem);
  } catch (error) {
    throw unreadable(`The CA file ${caFile} holds a damaged certificate. Export it again as PEM (Base-64)`, error);
  }
  return certificates;
}

const unreadable = (text: string, cause?: unknown) =>
  new CodedError('TLS_CA_UNREADABLE', `tlsCaFile: ${text}.`, { field: 'tlsCaFile', cause });
