/**
 * One tile of the Mandelbrot set as rows of characters: the demonstration's function.
 * @param {{ left: number, top: number, width: number, height: number, columns: number, rows: number, depth: number }} tile
 */
export default function mandelbrot({ left, top, width, height, columns, rows, depth }) {
  const shades = ' .:-=+*#%@';
  const lines = [];
  for (let row = 0; row < rows; row += 1) {
    let line = '';
    for (let column = 0; column < columns; column += 1) {
      const re = left + (column / columns) * width;
      const im = top + (row / rows) * height;
      let x = 0;
      let y = 0;
      let n = 0;
      while (x * x + y * y < 4 && n < depth) [x, y, n] = [x * x - y * y + re, 2 * x * y + im, n + 1];
      line += shades[n === depth ? shades.length - 1 : n % (shades.length - 1)];
    }
    lines.push(line);
    gantry.progress((row + 1) / rows);
  }
  return lines;
}
