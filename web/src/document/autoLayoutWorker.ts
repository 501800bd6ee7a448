/** `autoLayout.ts` beside the page: a large graph takes seconds, in which the page goes on. */
import { autoLayout, type LayoutTask } from "./autoLayout";

self.onmessage = async ({ data }: MessageEvent<LayoutTask>) => {
  self.postMessage(await autoLayout(data));
};
