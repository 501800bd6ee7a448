/** Uploads a file and reports progress, which `fetch` cannot do. */

import { routeUrl } from "./address";
import { fileNameFor } from "./fileName";
import type { ImageFile } from "./jobs";
import { HttpError } from "./transport";

interface UploadOptions {
  /** From 0 to 1. */
  onProgress: (share: number) => void;
  signal: AbortSignal;
}

/** In milliseconds without progress, or without a response once everything is sent. */
const STALL_TIMEOUT = 60_000;

/**
 * Rejects with `HttpError` for an unsuccessful response, with an `AbortError` when cancelled, and
 * with a `TimeoutError` when stalled.
 */
export function uploadFile(file: File, { onProgress, signal }: UploadOptions): Promise<ImageFile> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("image", file, fileNameFor(file.name));
    request.open("POST", routeUrl("/api/upload/image"));
    request.responseType = "json";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const restartTimer = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        failed(new DOMException("The upload stalled", "TimeoutError"));
        request.abort();
      }, STALL_TIMEOUT);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      restartTimer();
      onProgress(total > 0 ? loaded / total : 0);
    };
    request.onloadend = () => clearTimeout(timer);
    request.onload = () => {
      const { status, response } = request;
      if (status === 200) {
        const { name, subfolder, type } = response as Record<"name" | "subfolder" | "type", string>;
        done({ filename: name, subfolder, type });
      } else failed(new HttpError(status, String(response?.error ?? status), response));
    };
    request.onerror = () => failed(new Error("The server did not answer."));
    request.onabort = () => failed(new DOMException("Given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    restartTimer();
    request.send(form);
  });
}
