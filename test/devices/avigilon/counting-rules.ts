/** The zones whose occupancy the stadium pipeline keeps (facts A7). */
export const ZONES = ['parqueadero norte', 'campinsito', 'zona sur'] as const;
export type Zone = (typeof ZONES)[number];

/** A rule that an operator made on a camera. What it means is said beside its name, so that nothing here matches names. */
export interface CountingRule {
  /** `analyticEventName`; null and undefined (no such field) occur too. */
  name: string | null | undefined;
  activity: 'OBJECT_COUNTING_ENTER' | 'OBJECT_COUNTING_EXIT' | 'OBJECT_PRESENT';
  object: 'PERSON_BODY' | 'VEHICLE_CAR';
  /** What a crossing does to a zone. */
  effect?: { zone: Zone; change: 1 | -1 };
  /** Whether the pipeline writes a history row for it (facts A7, step 6). */
  history: boolean;
}

/** One entrance: the rules on its camera. */
export interface Entrance {
  cameraName: string;
  rules: readonly CountingRule[];
}

function gate(cameraName: string, zone: Zone, entry: string, exit: string, history = false): Entrance {
  const rule = (name: string, change: 1 | -1): CountingRule => ({
    name,
    activity: change === 1 ? 'OBJECT_COUNTING_ENTER' : 'OBJECT_COUNTING_EXIT',
    object: 'VEHICLE_CAR',
    effect: { zone, change },
    history,
  });
  return { cameraName, rules: [rule(entry, 1), rule(exit, -1)] };
}

function door(cameraName: string, name: string, history = true): Entrance {
  return { cameraName, rules: [{ name, activity: 'OBJECT_COUNTING_ENTER', object: 'PERSON_BODY', history }] };
}

/** 22 entrances with the names of the seed and of facts A7, in the cases and with the additions that operators type. */
export const ENTRANCES: readonly Entrance[] = [
  gate('NORTE CARRIL 1', 'parqueadero norte', 'AFORO ENTRADA PARQUEADERO NORTE', 'AFORO SALIDA PARQUEADERO NORTE'),
  gate('NORTE CARRIL 2', 'parqueadero norte', 'Aforo Entrada Parqueadero Norte', 'Aforo Salida Parqueadero Norte'),
  gate('NORTE CARRIL 3', 'parqueadero norte', 'aforo entrada parqueadero norte - carril 3', 'aforo salida parqueadero norte - carril 3'),
  gate('NORTE MOTOS', 'parqueadero norte', 'AFORO ENTRADA PARQUEADERO NORTE (MOTOS)', 'AFORO SALIDA PARQUEADERO NORTE (MOTOS)'),
  gate('NORTE VIP', 'parqueadero norte', 'VIP Aforo Entrada Parqueadero Norte', 'VIP Aforo Salida Parqueadero Norte'),
  gate('CAMPINSITO 1', 'campinsito', 'ENTRADA VEHICULAR CAMPINSITO', 'SALIDA VEHICULAR CAMPINSITO'),
  gate('CAMPINSITO 2', 'campinsito', 'Entrada vehicular Campinsito', 'Salida vehicular Campinsito'),
  gate('CAMPINSITO 3', 'campinsito', 'Entrada Vehicular Campinsito 57ª', 'Salida Vehicular Campinsito 57ª'),
  gate('CAMPINSITO BUSES', 'campinsito', ' ENTRADA VEHICULAR CAMPINSITO BUSES ', ' SALIDA VEHICULAR CAMPINSITO BUSES '),
  gate('SUR 1', 'zona sur', 'INGRESO PARQUEADERO SUR', 'SALIDA PARQUEADERO SUR'),
  gate('SUR 2', 'zona sur', 'Ingreso Parqueadero Sur', 'Salida Parqueadero Sur'),
  gate('SUR PUERTA 9', 'zona sur', 'Puerta 9 Ingreso Parqueadero Sur', 'Puerta 9 Salida Parqueadero Sur', true),
  door('TUNEL PTA 40', 'PUERTA 40'),
  door('TUNEL PTA 41', 'Puerta 41 Occidental'),
  door('TUNEL PTA 42', 'puerta 42'),
  door('ORIENTAL ALTA', 'CONTEO PUERTA ORIENTAL ALTA'),
  door('SENCIA 1', 'AFORO ENTRADA SENCIA 1'),
  door('SENCIA 2', 'Aforo Entrada Sencia 2'),
  door('MARATON', 'INGRESO PERSONAS ENTRADA MARATON'),
  door('MARATON 2', 'Ingreso Personas Entrada Maraton 2', false),
  door('PASILLO', 'ENTRADA PARQUEADERO NORTE PEATONAL', false),
  door('PERIMETRO', 'Persona en zona restringida', false),
];

/** Names that mean nothing to the pipeline and break what handles them carelessly. */
export const HOSTILE_NAMES: readonly (string | null | undefined)[] = [
  null,
  undefined,
  '',
  '   ',
  "'; DROP TABLE eventos_Analisis; --",
  '<script>alert(1)</script>',
  'linea 1\r\nlinea 2\ttab',
  '\u0000nulo\u0007',
  '__proto__',
  'constructor',
  '{{payload}} ${env} %s',
  'человек на дороге',
  '\u202eETRON ADARTNE OROFA',
  'Salida 🚗🅿️ niños',
  'mitad de un par \ud83d',
  'X'.repeat(5000),
];

/** Matches an entry and an exit of one zone at once: the seed counts it both ways (facts A7). Never part of generated crossings. */
export const AMBIGUOUS_NAME = 'AFORO ENTRADA PARQUEADERO NORTE / AFORO SALIDA PARQUEADERO NORTE';
