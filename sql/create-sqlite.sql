-- Tables of @aforo/node-red-camera-events. Creates what is missing and changes nothing that is there.
-- eventos_Analisis and the three counters are the stadium's; a table of the same name and columns serves as well.
-- camera_events_ledger remembers which event has been applied, so that each counts once: every worker needs it.

CREATE TABLE IF NOT EXISTS "camera_events_ledger" (
  effect TEXT NOT NULL,
  event_id TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (effect, event_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS "camera_events_ledger_at" ON "camera_events_ledger" (at);

CREATE TABLE IF NOT EXISTS "camera_events_audit" (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  action TEXT NOT NULL,
  zone TEXT NOT NULL,
  event TEXT NOT NULL,
  previous INTEGER NOT NULL,
  value INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS "eventos_Analisis" (
  id INTEGER PRIMARY KEY,
  "analyticEventName" TEXT,
  "area" TEXT,
  "activity" TEXT,
  "cameraID" TEXT,
  "timestamp" TEXT,
  "nombre_evento" TEXT
);

CREATE TABLE IF NOT EXISTS "Aforo_parqueadero" (
  "evento" TEXT NOT NULL PRIMARY KEY,
  "aforo" INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS "Aforo_parqueadero_campinsito" (
  "evento" TEXT NOT NULL PRIMARY KEY,
  "aforo" INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS "Aforo_parqueadero_SUR" (
  "evento" TEXT NOT NULL PRIMARY KEY,
  "aforo" INTEGER NOT NULL DEFAULT 0
);
