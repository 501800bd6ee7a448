/** Where things are on the screen, and the pointer's way from one to another. */
import type { Locator, Page } from "playwright-core";

export interface Place {
  x: number;
  y: number;
}

export async function middleOf(element: Locator): Promise<Place> {
  const box = await element.boundingBox();
  if (box === null) throw new Error("it is not on the screen");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Presses, moves in steps as a hand does, and leaves the button pressed. */
export async function drag(page: Page, from: Locator | Place, to: Locator | Place): Promise<void> {
  const start = "x" in from ? from : await middleOf(from);
  const end = "x" in to ? to : await middleOf(to);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
}
