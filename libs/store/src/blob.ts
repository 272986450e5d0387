/** The bytes of a blob column: libsql answers an ArrayBuffer, pg a Buffer. Nothing is copied. */
export const toBytes = (blob: ArrayBuffer | Uint8Array): Uint8Array =>
  ArrayBuffer.isView(blob) ? blob : new Uint8Array(blob);
