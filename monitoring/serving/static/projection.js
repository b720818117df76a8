/**
 * The Earth on a plane: the Equal Earth projection (Šavrič, Patterson, Jenny 2018), circles around
 * a point, and the half of the Earth from which that point's zenith is seen.
 */

const RADIANS = Math.PI / 180;
const STEP_DEGREES = 2;
const A = [1.340264, -0.081106, 0.000893, 0.003796];
const M = Math.sqrt(3) / 2;
// A terminator through the poles is no function of longitude; this close to it nobody sees it.
const LEAST_LATITUDE = 0.05;

/** @typedef {[number, number]} Point longitude and latitude in degrees, or x and y */

/**
 * @param {number} longitude degrees, beyond 180 too
 * @param {number} latitude degrees
 * @returns {Point} x and y in units of the Earth's radius, y downwards
 */
function equalEarth(longitude, latitude) {
  const theta = Math.asin(M * Math.sin(latitude * RADIANS));
  const square = theta * theta;
  const sixth = square ** 3;
  const slope = A[0] + 3 * A[1] * square + sixth * (7 * A[2] + 9 * A[3] * square);
  const y = theta * (A[0] + A[1] * square + sixth * (A[2] + A[3] * square));
  return [(longitude * RADIANS * Math.cos(theta)) / (M * slope), -y];
}

const HALF_WIDTH = equalEarth(180, 0)[0];
const HALF_HEIGHT = -equalEarth(0, 90)[1];

/** Height of the map for a width of one. */
export const ASPECT = HALF_HEIGHT / HALF_WIDTH;

/**
 * @param {number} width of the map
 * @returns {(point: Point) => Point} from degrees to the map's own units
 */
export function projectTo(width) {
  const scale = width / (2 * HALF_WIDTH);
  return ([longitude, latitude]) => {
    const [x, y] = equalEarth(longitude, latitude);
    return [(x + HALF_WIDTH) * scale, (y + HALF_HEIGHT) * scale];
  };
}

/**
 * @param {Point[]} points
 * @param {(point: Point) => Point} project
 * @returns {string} a closed path
 */
export function pathOf(points, project) {
  const places = points.map((point) =>
    project(point)
      .map((value) => value.toFixed(1))
      .join(" "),
  );
  return `M${places.join("L")}Z`;
}

/** @returns {Point[]} the rim of the map */
export function outline() {
  /** @type {Point[]} */
  const points = [];
  for (let latitude = -90; latitude <= 90; latitude += STEP_DEGREES) points.push([-180, latitude]);
  for (let latitude = 90; latitude >= -90; latitude -= STEP_DEGREES) points.push([180, latitude]);
  return points;
}

/**
 * @param {Point} centre
 * @returns {Point[]} the half of the Earth that has the centre's zenith above its horizon
 */
export function hemisphere([longitude, latitude]) {
  const side = latitude < 0 ? -1 : 1;
  const tilt = side * Math.max(Math.abs(latitude), LEAST_LATITUDE);
  /** @type {Point[]} */
  const points = [];
  for (let at = -180; at <= 180; at += STEP_DEGREES) {
    const turn = Math.cos((at - longitude) * RADIANS);
    points.push([at, Math.atan(-turn / Math.tan(tilt * RADIANS)) / RADIANS]);
  }
  const [west, east] = [points[0][1], points[points.length - 1][1]];
  return [...points, ...edge(180, east, side), ...edge(-180, west, side).reverse()];
}

/**
 * @param {number} longitude of a rim
 * @param {number} latitude where to start
 * @param {number} side 1 north, -1 south
 * @returns {Point[]} along the rim to that pole
 */
function edge(longitude, latitude, side) {
  /** @type {Point[]} */
  const points = [];
  for (let at = latitude; side * at < 90; at += side * STEP_DEGREES) points.push([longitude, at]);
  return [...points, [longitude, side * 90]];
}

/**
 * @param {Point} centre
 * @param {number} radius degrees
 * @returns {Point[][]} the circle, and copies of it a turn to both sides for the map's rim to clip
 */
export function circle([longitude, latitude], radius) {
  /** @type {Point[]} */
  const points = [];
  const [lift, reach] = [latitude * RADIANS, Math.min(radius, 179) * RADIANS];
  for (let bearing = 0; bearing < 360; bearing += STEP_DEGREES * 2) {
    const turn = bearing * RADIANS;
    const height = Math.asin(
      Math.sin(lift) * Math.cos(reach) + Math.cos(lift) * Math.sin(reach) * Math.cos(turn),
    );
    const east = Math.atan2(
      Math.sin(turn) * Math.sin(reach) * Math.cos(lift),
      Math.cos(reach) - Math.sin(lift) * Math.sin(height),
    );
    points.push([longitude + east / RADIANS, height / RADIANS]);
  }
  const whole = radius > 90 - Math.abs(latitude) ? aroundPole(points, latitude) : points;
  return [-360, 0, 360].map((turn) => whole.map(([x, y]) => [x + turn, y]));
}

/**
 * @param {Point[]} points of a circle that has a pole inside
 * @param {number} latitude of its centre
 * @returns {Point[]} from rim to rim and back along the pole
 */
function aroundPole(points, latitude) {
  const pole = latitude < 0 ? -90 : 90;
  const sorted = [...points].sort((one, other) => one[0] - other[0]);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  return [...sorted, [first[0] + 360, first[1]], [last[0] + 1, pole], [first[0], pole]];
}

/**
 * @param {Point} centre
 * @param {Point} point
 * @returns {number} sine of the height at which the centre's zenith stands over the point
 */
export function heightOver(centre, point) {
  const [one, other] = [centre[1] * RADIANS, point[1] * RADIANS];
  const apart = Math.cos((centre[0] - point[0]) * RADIANS);
  return Math.sin(one) * Math.sin(other) + Math.cos(one) * Math.cos(other) * apart;
}
