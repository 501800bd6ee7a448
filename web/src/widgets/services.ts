/**
 * What fields ask of the studio around them. Fields know no server and no document: whoever shows
 * them provides this once, for all of them.
 */
import { createContext, useContext } from "react";
import type { InputSchema } from "../api/types";

export type MediaKind = "image" | "video" | "audio";

/** A file that a value names, as the page can show it. */
export interface Media {
  kind: MediaKind;
  url: string;
  name: string;
}

export interface Completion {
  text: string;
  /** What is put into the text; `text` where it is not given. */
  insert?: string;
  detail: string;
  /** What choosing it does besides, before the text changes; null where nothing was done. */
  choose?: () => ChoiceEffect | null;
}

/** What a choice did besides the text. Its undo and redo say the text, too; false: not possible now. */
export interface ChoiceEffect {
  undo: () => boolean;
  redo: () => boolean;
}

/** Whose field it is. */
interface FieldPlace {
  node: string;
  input: string;
}

interface FieldServices {
  /** The address of a small picture of a choice; null where there can be none. */
  thumbnail: (input: InputSchema, choice: string) => string | null;
  /** The choices that the server is asked for when they are wanted; null where it is not. */
  listed: (input: InputSchema) => Promise<readonly unknown[]> | null;
  /** The files of a folder, as values: `name.png [output]`. */
  filesIn: (place: "output" | "temp", kind: MediaKind) => Promise<readonly string[]>;
  recent: (input: InputSchema) => readonly string[];
  starred: (input: InputSchema) => readonly string[];
  star: (input: InputSchema, choice: string) => void;
  /** Notes that a choice was made. */
  chose: (input: InputSchema, choice: string) => void;
  /** What a word that is being typed into a prompt may become, the likeliest first. */
  complete: (word: string, place: FieldPlace | null) => Promise<readonly Completion[]>;
  /** Says in words what went wrong. */
  complain: (error: unknown) => void;
}

const NONE: FieldServices = {
  thumbnail: () => null,
  listed: () => null,
  filesIn: () => Promise.resolve([]),
  recent: () => [],
  starred: () => [],
  star: () => undefined,
  chose: () => undefined,
  complete: () => Promise.resolve([]),
  complain: () => undefined,
};

export const FieldServicesContext = createContext<FieldServices>(NONE);

export function useFieldServices(): FieldServices {
  return useContext(FieldServicesContext);
}
