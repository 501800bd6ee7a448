/** Uploads a file and reports progress, which `fetch` cannot do. */

import { routeUrl } from "./address";
import { fileNameFor } from "./fileName";
import type { ImageFile } from "./jobs";
import { HttpError } from "./transport";

interface UploadOptions {
  /** From 0 to 1. */
  onProgress: (share: number) => void;
  signal: AbortSignal;
  /** The folder below the root folder, and another root folder than that of inputs. */
  subfolder?: string;
  type?: string;
}

/** In milliseconds without progress, or without a response once everything is sent. */
const STALL_TIMEOUT = 60_000;

/**
 * Rejects with `HttpError` for an unsuccessful response, with an `AbortError` when cancelled, and
 * with a `TimeoutError` when stalled.
 */
export function uploadFile(
  file: File,
  { onProgress, signal, subfolder, type }: UploadOptions,
): Promise<ImageFile> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("image", file, fileNameFor(file.name));
    if (subfolder !== undefined) form.append("subfolder", subfolder);
    if (type !== undefined) form.append("type", type);
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
        const stored = response as Record<"name" | "subfolder" | "type", string>;
        done({ filename: stored.name, subfolder: stored.subfolder, type: stored.type });
      } else failed(new HttpError(status, String(response?.error ?? status), response));
    };
    request.onerror = () => failed(new Error("The server did not answer."));
    request.onabort = () => failed(new DOMException("Given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    restartTimer();
    request.send(form);
  });
}
