/** Where the inspector's sheet comes to rest on a phone. */
import { expect, test } from "vitest";
import { restingShare } from "../../src/panels/InspectorSheet";

const WINDOW = 1000;

test.each([
  // Dragged and held: to the nearest height.
  [430, 0, 0.45],
  [600, 0, 0.72],
  [150, 0, 0],
  // A swipe goes one step on, from wherever the finger is.
  [440, 0.8, 0],
  [700, 0.8, 0.45],
  [460, -0.8, 0.72],
])("a sheet %d pixels high that moves %d px/ms rests at %d", (height, speed, share) => {
  expect(restingShare(height, speed, WINDOW)).toBe(share);
});
