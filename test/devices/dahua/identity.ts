/** What magicBox.cgi says (facts A4). */
export interface DeviceIdentity {
  serial: string;
  machineName: string;
  /** `getDeviceType`. */
  model: string;
  vendor: string;
  processor: string;
  /** `getSystemInfo`: on an NVR deviceType is a number and the model stands in updateSerial. */
  systemDeviceType: string;
  updateSerial: string;
  version: string;
  buildDate: string;
  /** Old firmware: version and BuildDate on two lines. */
  buildDateOnOwnLine: boolean;
}

export const cameraIdentity: DeviceIdentity = {
  serial: '9Z00FAKEPAG0001',
  machineName: 'PlazaNorte',
  model: 'IPC-HFW5442E-ZE',
  vendor: 'Dahua',
  processor: 'S3LM',
  systemDeviceType: 'IPC-HFW5442E-ZE',
  updateSerial: 'IPC-HX5XXX-Fake',
  version: '2.820.0000000.18.R',
  buildDate: '2021-11-05',
  buildDateOnOwnLine: false,
};

export const nvrIdentity: DeviceIdentity = {
  ...cameraIdentity,
  serial: '9Z00FAKEPAJ0002',
  machineName: 'NVR',
  model: 'NVR5232-4KS2',
  processor: 'ST7108',
  systemDeviceType: '31',
  updateSerial: 'DHI-NVR5232-4KS2',
  version: '4.003.0000001.1.R',
};
