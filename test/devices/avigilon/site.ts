import { deflateRawSync } from 'node:zlib';
import { between, seededRandom, type Random } from '../seeded-random';
import { ENTRANCES, type CountingRule } from './counting-rules';

export interface RecordingServer {
  /** URL-safe base64 of a GUID (facts A4). */
  id: string;
  name: string;
  reachableIPs: readonly string[];
}

export interface Camera {
  id: string;
  name: string;
  serverId: string;
  /** CONNECTED, DISCONNECTED, LONG_FAILED, ERROR or UNKNOWN (facts A5). May be changed. */
  connectionState: string;
  readonly address: string;
  readonly mac: string;
  readonly serial: string;
  readonly rules: readonly CountingRule[];
}

export interface Site {
  id: string;
  name: string;
  servers: readonly RecordingServer[];
  cameras: readonly Camera[];
}

export interface SiteOptions {
  /** Default 2. */
  servers?: number;
  /** Default 22; beyond that the entrances repeat. */
  cameras?: number;
  random?: Random;
}

/** An invented stadium: cameras dealt to the servers in turn. The same random numbers give the same ids. */
export function makeSite({ servers: serverCount = 2, cameras: cameraCount = ENTRANCES.length, random = seededRandom(7) }: SiteOptions = {}): Site {
  const servers = Array.from({ length: serverCount }, (_, index) => ({
    id: guid(random).toString('base64url'),
    name: `ESTADIO-${String(index + 1).padStart(2, '0')}`,
    reachableIPs: ['127.0.0.1'],
  }));
  const cameras = Array.from({ length: cameraCount }, (_, index): Camera => {
    const { cameraName, rules } = ENTRANCES[index % ENTRANCES.length]!;
    const lap = Math.floor(index / ENTRANCES.length);
    const serverId = servers[index % serverCount]!.id;
    const mac = `02${bytes(random, 5).toString('hex')}`;
    return {
      id: cameraId(mac, serverId),
      name: lap === 0 ? cameraName : `${cameraName} (${lap + 1})`,
      serverId,
      connectionState: 'CONNECTED',
      address: `192.0.2.${1 + (index % 254)}:443`,
      mac,
      serial: String(900_000_000_000 + index),
      rules,
    };
  });
  return { id: guid(random).toString('base64url'), name: 'Estadio simulado', servers, cameras };
}

/** `4xIx1DMw…`: raw DEFLATE over a protobuf of "1.<mac>.camNN" and the GUID of the server (facts A5). */
export function cameraId(mac: string, serverId: string, channel = 0): string {
  const device = Buffer.from(`1.${mac}.cam${String(channel).padStart(2, '0')}`);
  const server = Buffer.from(serverId, 'base64url');
  const message = Buffer.concat([Buffer.from([0x0a, device.length]), device, Buffer.from([0x12, server.length]), server]);
  return deflateRawSync(message, { level: 9 }).toString('base64url');
}

export function bytes(random: Random, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => between(random, 0, 255)));
}

/** RFC 4122 version 4. */
export function guid(random: Random): Buffer {
  const raw = bytes(random, 16);
  raw[6] = (raw[6]! & 0x0f) | 0x40;
  raw[8] = (raw[8]! & 0x3f) | 0x80;
  return raw;
}
