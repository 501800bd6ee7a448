/** Brings a file to the server and says how far it is. `fetch` could not say that. */

import type { ImageFile } from "./jobs";
import { Refused } from "./transport";

interface Bringing {
  /** From 0 to 1. */
  onProgress: (share: number) => void;
  signal: AbortSignal;
}

/** Rejects with `Refused` for an answer that is no success, with an `AbortError` when given up. */
export function bring(file: File, { onProgress, signal }: Bringing): Promise<ImageFile> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("image", file, file.name);
    request.open("POST", "/api/upload/image");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () => {
      const { status, response } = request;
      if (status === 200) {
        const { name, subfolder, type } = response as Record<"name" | "subfolder" | "type", string>;
        done({ filename: name, subfolder, type });
      } else failed(new Refused(status, String(response?.error ?? status), response));
    };
    request.onerror = () => failed(new Error("The server did not answer."));
    request.onabort = () => failed(new DOMException("Given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
