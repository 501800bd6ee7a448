/** A model as a drawing: white surfaces, and lines where surfaces meet at an angle. */
import {
  DoubleSide,
  EdgesGeometry,
  LineBasicMaterial,
  LineSegments,
  type Mesh,
  MeshBasicMaterial,
} from "three";

/** In degrees: surfaces that meet at a smaller angle are one. */
const ANGLE = 25;

export class Drawing {
  /** Pushed back a little, so that no surface hides the lines on its own edges. */
  readonly paper = new MeshBasicMaterial({
    color: 0xffffff,
    side: DoubleSide,
    polygonOffset: true,
    polygonOffsetFactor: 1,
    polygonOffsetUnits: 1,
  });
  readonly #ink = new LineBasicMaterial({ color: 0x111111 });
  readonly #lines: LineSegments[] = [];

  /** Shows or hides the lines; they are made when they are first shown. */
  show(meshes: Iterable<Mesh>, visible: boolean): void {
    if (visible && this.#lines.length === 0) {
      for (const mesh of meshes) {
        const lines = new LineSegments(new EdgesGeometry(mesh.geometry, ANGLE), this.#ink);
        lines.frustumCulled = false;
        mesh.add(lines);
        this.#lines.push(lines);
      }
    }
    for (const each of this.#lines) each.visible = visible;
  }

  dispose(): void {
    for (const each of this.#lines) each.geometry.dispose();
    this.#ink.dispose();
    this.paper.dispose();
  }
}
