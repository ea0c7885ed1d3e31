-- Tables of @aforo/node-red-camera-events. Creates what is missing and changes nothing that is there.
-- eventos_Analisis and the three counters are the stadium's; a table of the same name and columns serves as well.
-- camera_events_ledger remembers which event has been applied, so that each counts once: every worker needs it.
-- For SQL Server 2016 and later, Azure SQL and Babelfish.

IF OBJECT_ID(N'[camera_events_ledger]') IS NULL
BEGIN
CREATE TABLE [camera_events_ledger] (
  [effect] varchar(100) COLLATE Latin1_General_BIN2 NOT NULL,
  [event_id] varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  [at] datetime2(3) NOT NULL,
  PRIMARY KEY ([effect], [event_id])
);
CREATE INDEX [camera_events_ledger_at] ON [camera_events_ledger] ([at]);
END
GO

IF OBJECT_ID(N'[camera_events_audit]') IS NULL
BEGIN
CREATE TABLE [camera_events_audit] (
  [id] int IDENTITY(1, 1) PRIMARY KEY,
  [at] datetime2(3) NOT NULL,
  [action] varchar(10) NOT NULL,
  [zone] nvarchar(255) NOT NULL,
  [event] nvarchar(255) NOT NULL,
  [previous] int NOT NULL,
  [value] int NOT NULL
);
END
GO

IF OBJECT_ID(N'[eventos_Analisis]') IS NULL
BEGIN
CREATE TABLE [eventos_Analisis] (
  [id] int IDENTITY(1, 1) PRIMARY KEY,
  [analyticEventName] nvarchar(255) NULL,
  [area] nvarchar(255) NULL,
  [activity] nvarchar(255) NULL,
  [cameraID] nvarchar(255) NULL,
  [timestamp] datetime2(3) NULL,
  [nombre_evento] nvarchar(255) NULL
);
END
GO

IF OBJECT_ID(N'[Aforo_parqueadero]') IS NULL
BEGIN
CREATE TABLE [Aforo_parqueadero] (
  [evento] nvarchar(255) NOT NULL PRIMARY KEY,
  [aforo] int NOT NULL DEFAULT 0
);
END
GO

IF OBJECT_ID(N'[Aforo_parqueadero_campinsito]') IS NULL
BEGIN
CREATE TABLE [Aforo_parqueadero_campinsito] (
  [evento] nvarchar(255) NOT NULL PRIMARY KEY,
  [aforo] int NOT NULL DEFAULT 0
);
END
GO

IF OBJECT_ID(N'[Aforo_parqueadero_SUR]') IS NULL
BEGIN
CREATE TABLE [Aforo_parqueadero_SUR] (
  [evento] nvarchar(255) NOT NULL PRIMARY KEY,
  [aforo] int NOT NULL DEFAULT 0
);
END
GO
