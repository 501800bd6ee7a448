/** `tidy.ts` beside the page: a large graph takes seconds, in which the page goes on. */
import { tidied, type Untidy } from "./tidy";

self.onmessage = async ({ data }: MessageEvent<Untidy>) => {
  self.postMessage(await tidied(data));
};
