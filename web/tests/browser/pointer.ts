/** Screen positions of elements, and pointer movements between them. */
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

export interface Place {
  x: number;
  y: number;
}

export async function middleOf(element: Locator): Promise<Place> {
  const box = await element.boundingBox();
  if (box === null) throw new Error("it is not on the screen");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Presses, moves in steps like a hand, and leaves the button pressed. */
export async function drag(page: Page, from: Locator | Place, to: Locator | Place): Promise<void> {
  const start = "x" in from ? from : await middleOf(from);
  const end = "x" in to ? to : await middleOf(to);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
}

/** The current view: conversions between graph and screen coordinates. */
export async function viewOf(page: Page) {
  const { x, y, scale } = await page.locator(".react-flow__viewport").evaluate((element) => {
    const { a, e, f } = new DOMMatrix(getComputedStyle(element).transform);
    const box = element.closest(".react-flow")?.getBoundingClientRect();
    return { x: (box?.left ?? 0) + e, y: (box?.top ?? 0) + f, scale: a };
  });
  return {
    scale,
    onScreen: (at: Place): Place => ({ x: x + at.x * scale, y: y + at.y * scale }),
    /** The corner of an element on the screen, in graph coordinates. */
    inGraph: async (element: Locator): Promise<Place> => {
      const box = await element.boundingBox();
      if (box === null) throw new Error("it is not on the screen");
      return { x: (box.x - x) / scale, y: (box.y - y) / scale };
    },
  };
}

/** Zooms out until nodes are painted instead of mounted. */
export async function goFar(page: Page, step = 120): Promise<void> {
  await page.mouse.move(600, 400);
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, step);
      return page.locator(".overview").count();
    })
    .toBe(1);
}
