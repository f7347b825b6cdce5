// Draws a QR code as a small SVG without style attributes, which the content security policy would refuse.
import { encode } from 'uqr'

/** Light modules that scanners need around the code (ISO/IEC 18004: four). */
const QUIET_ZONE = 4

/** One stroke per run of dark modules; a white ground, so that it can be read in a dark theme. */
export function qrCode(text: string): string {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET_ZONE })
  const strokes = data.flatMap((row, y) =>
    [
      ...row
        .map((dark) => (dark ? '1' : '0'))
        .join('')
        .matchAll(/1+/g),
    ].map((run) => `M${run.index} ${y}h${run[0].length}`),
  )
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<rect width="${size}" height="${size}" fill="#fff"/>` +
    `<path transform="translate(0 .5)" stroke="#000" d="${strokes.join('')}"/></svg>`
  )
}
