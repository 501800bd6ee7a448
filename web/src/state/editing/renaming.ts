/** The node or the frame whose title is being typed. */
import { create } from "zustand";

interface Renaming {
  node: string | null;
  frame: string | null;
}

export const useRenaming = create<Renaming>(() => ({ node: null, frame: null }));
