/**
 * Web worker for `autoLayout.ts`: a large graph takes seconds, and the page must stay responsive.
 */
import { autoLayout, type LayoutTask } from "./autoLayout";

self.onmessage = async ({ data }: MessageEvent<LayoutTask>) => {
  self.postMessage(await autoLayout(data));
};
