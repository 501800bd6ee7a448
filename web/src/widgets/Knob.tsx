/** The dial of a number: an arc that fills clockwise. Drawing only. */

const RADIUS = 19;
const SWEEP = 270;

export function Knob({ share }: { share: number }) {
  const angle = -SWEEP / 2 + share * SWEEP;
  const end = pointAt(angle, RADIUS - 7);
  return (
    <svg className="dial" viewBox="-24 -24 48 48" aria-hidden="true">
      <path className="track" d={arc(-SWEEP / 2, SWEEP / 2)} />
      {share > 0 && <path className="filled" d={arc(-SWEEP / 2, angle)} />}
      <line className="hand" x1="0" y1="0" x2={end.x} y2={end.y} />
    </svg>
  );
}

function arc(from: number, to: number): string {
  const [start, end] = [pointAt(from, RADIUS), pointAt(to, RADIUS)];
  const large = to - from > 180 ? 1 : 0;
  return `M ${start.x} ${start.y} A ${RADIUS} ${RADIUS} 0 ${large} 1 ${end.x} ${end.y}`;
}

/** Degrees clockwise from the top. */
function pointAt(degrees: number, radius: number): { x: number; y: number } {
  const angle = ((degrees - 90) * Math.PI) / 180;
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}
